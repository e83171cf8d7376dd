"""A plan in words."""

from __future__ import annotations

from lindiff.progress import duration
from lindiff.sweep import derived
from lindiff.sweep.plan import Plan


def summary(plan: Plan) -> list[str]:
    """A plan in a few lines for the console."""
    lines = [f"{plan.config.name}: {plan.wanted:,} cells wanted, {plan.done:,} finished"]
    if plan.pending:
        shards = "shard" if len(plan.pending) == 1 else "shards"
        lines[0] += (
            f", {plan.wanted - plan.done:,} to run in {len(plan.pending):,} {shards} "
            f"(about {duration(plan.seconds)} on one core)"
        )
    if plan.rounds is not None:
        more = (
            "no more after it"
            if not plan.rounds.more
            else (f"at most {plan.rounds.more:,} more cells after it")
        )
        if plan.rounds.open:
            lines.append(f"{plan.config.name}: refined axes: {plan.rounds.text}, {more}")
    for stale in plan.stale:
        doing = {"rerun": "they run again", "keep": "they are kept"}[stale.policy]
        lines.append(
            f"{plan.config.name}: {stale.cells:,} finished cells of {stale.model} are of older "
            f"code; {doing} (stale: {stale.policy})"
        )
    name = plan.config.name
    for part, reason in plan.damaged.items():
        lines.append(f"{name}: part {part} is damaged ({reason}); its cells run again")
    for path, reason in plan.damaged_derived.items():
        lines.append(
            f"{name}: {path} is damaged ({reason}); tables, figures, answers and page "
            "are made again"
        )
    folder = plan.file.parent
    if not plan.written and (outdated := derived.outdated(folder, plan.tables, plan.figures)):
        files = ", ".join(str(path.relative_to(folder)) for path in outdated)
        lines.append(
            f"{name}: the config does not ask for these any more; the run removes them: {files}"
        )
    return lines
