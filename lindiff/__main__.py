"""``python -m lindiff``: the command line where the program ``lindiff`` is not on the path."""

from lindiff.cli import main

main(prog_name="lindiff")
