"""How figures look, and what several of them share; the figures are in `lindiff.figures`."""
