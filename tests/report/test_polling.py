"""The Slurm executor's jobs, where a look at the queue says nothing of them."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from lindiff.report.polling import remembering


class Executor:
    """The part of an executor that a look needs; `states` is None where the question failed."""

    def __init__(self, states: dict[str, str] | None) -> None:
        self.states = states
        self.ended: list[tuple[str, str]] = []

    def report_job_success(self, job: str) -> None:
        self.ended.append((job, "done"))

    def report_job_error(self, job: str, msg: str = "") -> None:
        self.ended.append((job, msg))

    async def check_active_jobs(self, active_jobs: list[str]):
        for job in active_jobs if self.states is not None else ():
            match self.states.get(job):
                case "COMPLETED":
                    self.report_job_success(job)
                case "FAILED":
                    self.report_job_error(job, msg="it failed")
                case _:
                    yield job


def still_active(executor: Executor, jobs: list[str]) -> list[str]:
    async def look() -> list[str]:
        again = remembering(Executor.check_active_jobs)
        return [job async for job in again(executor, jobs)]

    return asyncio.run(look())


def test_a_look_that_fails_forgets_no_job():
    executor = Executor(None)
    assert still_active(executor, ["a", "b"]) == ["a", "b"]
    assert executor.ended == []


def test_a_look_that_succeeds_is_the_executors_own():
    executor = Executor({"a": "RUNNING", "b": "COMPLETED", "c": "FAILED"})
    assert still_active(executor, ["a", "b", "c", "d"]) == ["a", "d"]
    assert executor.ended == [("b", "done"), ("c", "it failed")]
    assert executor.report_job_success.__func__ is Executor.report_job_success


def test_the_plugin_has_what_is_wrapped():
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    assert inspect.isasyncgenfunction(plugin.Executor.check_active_jobs)
    assert list(inspect.signature(plugin.Executor.check_active_jobs).parameters) == [
        "self",
        "active_jobs",
    ]
    for name in ("report_job_success", "report_job_error"):
        assert callable(getattr(plugin.Executor, name))
