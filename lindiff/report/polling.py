"""What Snakemake's Slurm executor forgets: jobs whose state it could not ask for.

It takes as still running only the jobs that a look at the queue has shown. Where every question
of a look fails (the controller or the accounting is down, or too busy), that is none, and it would
wait for ever for the ends of jobs that it does not look for any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any


def remember_jobs() -> None:
    """From now on jobs of the Slurm executor that were not seen to end are looked for again."""
    from snakemake_executor_plugin_slurm import Executor

    Executor.check_active_jobs = remembering(Executor.check_active_jobs)


def remembering(look: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    """An executor's ``check_active_jobs`` that yields every job of which it reports no end.

    Args:
        look: The executor's own, which yields the jobs that still run and reports the others by
            its ``report_job_success`` and ``report_job_error``.
    """

    async def look_again(executor: Any, active_jobs: list[Any]) -> AsyncIterator[Any]:
        seen: set[int] = set()

        def noting(report: Callable[..., Any]) -> Callable[..., Any]:
            def noted(job: Any, *given: Any, **named: Any) -> Any:
                seen.add(id(job))
                return report(job, *given, **named)

            return noted

        names = ("report_job_success", "report_job_error")
        vars(executor).update({name: noting(getattr(executor, name)) for name in names})
        try:
            async for job in look(executor, active_jobs):
                seen.add(id(job))
                yield job
        finally:
            for name in names:
                vars(executor).pop(name)
        for job in active_jobs:
            if id(job) not in seen:
                yield job

    return look_again
