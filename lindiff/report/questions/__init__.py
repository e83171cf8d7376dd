"""The questions that a sweep answers: each a function from a figure's data to what is said."""
