"""The spectra, a file each, with one function `eigenvalues(d, **parameters)`.

Its values need not be sorted or scaled: `lindiff.science.spectrum.make_spectrum` does that
(docs/theory.md, "Spectra").
"""
