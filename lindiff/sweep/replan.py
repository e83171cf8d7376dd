"""The plan after a plan: what searches ask for once all is finished that they asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lindiff.config.words import few
from lindiff.errors import InputError
from lindiff.sweep.plan import Plan, make_plan, read_plan, write_plan


def replan(before: Path, after: Path) -> Plan:
    """Plan what a finished plan's config needs now, and write it in place of that plan.

    The config is the one in the plan, so editing its file changes nothing of a run.

    Args:
        before: The plan file of which all shards are finished, ``results/<config>/plan-….json``.
        after: The plan file to write, in the same folder.

    Returns:
        The plan: of the next round, or without any shard where the searches are over.

    Raises:
        InputError: `before` is no plan, `after` is to be elsewhere, or parts of `before` are not
            there.
    """
    if after.parent != before.parent or not after.match("plan-*.json"):
        raise InputError(f"{after}: the plan after {before} is {before.parent}/plan-….json")
    previous = read_plan(before)
    results = after.parent.parent
    plan = replace(make_plan(previous.config, results), file=after)
    over = previous.rounds is None or not previous.rounds.open
    lost = [s.name for s in plan.pending if over or s.name in previous.parts]
    if lost:
        raise InputError(
            f"{before}: {few(lost)} {'is' if len(lost) == 1 else 'are'} to be computed again: "
            "parts were removed or damaged, or code was edited, while it ran; give the same "
            "command again, which goes on from what is there"
        )
    write_plan(plan, results)
    return plan
