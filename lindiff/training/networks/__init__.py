"""The networks, a file each, with one function `make(form)` (docs/theory.md, "Trained denoisers").

It gives the `lindiff.training.task.Network` of a `lindiff.training.forms.Form`: shapes, start and ε̂
of one model. docs/extending.md says what a network must do.
"""
