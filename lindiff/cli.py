"""The command line ``lindiff``: what the workflow calls, and what a user asks.

Its verbs are in `lindiff.verbs`. Modules are imported by the verbs that use them, so that
``lindiff run`` starts fast.
"""

from __future__ import annotations

import click

from lindiff.verbs import advice, claims, configs, papers, stages, tables, theory
from lindiff.verbs.ending import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lindiff")
def main() -> None:
    """Sweeps, theory and figures for linear diffusion models."""


for verb in (
    configs.validate, configs.plan, configs.status, configs.sweep, configs.init,
    stages.run, stages.replan, stages.collect, stages.answers, stages.page,
    papers.figures, papers.latex,
    tables.cells, tables.recompute, tables.gc,
    advice.advise, theory.theory, claims.claims,
):  # fmt: skip
    main.add_command(verb)


if __name__ == "__main__":
    main()
