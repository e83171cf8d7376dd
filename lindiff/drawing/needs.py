"""What an experiment must have to feed a figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """What an experiment must have to feed a figure.

    Attributes:
        axes: Settings that must have at least two values; ``n`` is met by ``n_over_d`` as well.
        metrics: Names of `lindiff.columns.REQUESTABLE` that must be asked for.
        settings: ``(setting, value)`` pairs: values that must be among that setting's.
    """

    axes: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    settings: tuple[tuple[str, object], ...] = ()
