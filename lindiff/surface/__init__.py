"""What ``import lindiff`` adds to the rooms below it: tables as data frames, one trained model."""
