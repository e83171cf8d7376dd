"""A temporary folder in which the real workflow is run on tiny configs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]

# Families of a few milliseconds, each a shard of its own.
TINY = {
    "shard": "{seconds: 1.0e-6}",
    "d": "4",
    "n": "[3, 8]",
    "seed": "[0]",
    "weight_decay": "[0, 0.1]",
    "metrics": "{only: [test_loss, kl_model_data]}",
    "timesteps": "20",
    "more": "",
    "experiments": "",
}
_TEXT = """\
shard: {shard}
{more}
defaults: {{model: linear_exact, timesteps: {timesteps}, beta_max: 9.0e-3, seed: {seed}}}
experiments:
  one:
    d: {d}
    n: {n}
    spectrum: isotropic
    weight_decay: {weight_decay}
    metrics: {metrics}
{experiments}
"""


@dataclass(frozen=True)
class Outcome:
    """What a call of Snakemake did.

    Attributes:
        code: Its exit code.
        text: All that it printed.
    """

    code: int
    text: str

    @property
    def jobs(self) -> Counter[str]:
        """Number of jobs of each rule, without the target."""
        stats = re.search(r"^job +count\n-+ +-+\n((?:\w+ +\d+\n)+)", self.text, re.MULTILINE)
        rows = (line.split() for line in (stats[1] if stats else "").splitlines())
        return Counter({n: int(c) for n, c in rows if n not in ("all", "sweep", "total")})


@dataclass(frozen=True)
class Workspace:
    """The folder.

    Attributes:
        folder: Its path.
        root: The repository whose Snakefile is run.
    """

    folder: Path
    root: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which the code of `root` is the one that runs."""
        return os.environ | {"PYTHONPATH": str(self.root)}

    @property
    def parts(self) -> dict[str, bytes]:
        """Content of all parts by name."""
        return {p.stem: p.read_bytes() for p in (self.results / "store/parts").glob("*.parquet")}

    def write(self, name: str = "tiny", **values: str) -> None:
        """Write a config: `TINY` with some values replaced."""
        text = _TEXT.format(**(TINY | values))
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def command(self, *options: str, name: str = "tiny", snakefile: str = "Snakefile") -> list[str]:
        """The command that runs a config as `make` does."""
        return [
            sys.executable, "-m", "snakemake", "--snakefile", str(self.root / snakefile),
            "--workflow-profile", str(self.root / "workflow/profiles/default"), "--cores", "2",
            *options, "--config", f"sweep={name}.yaml",
        ]  # fmt: skip

    def run(self, *options: str, **names: str) -> Outcome:
        """Run a config."""
        return self.call(self.command(*options, **names))

    def call(self, command: list[str]) -> Outcome:
        """Run a command here."""
        done = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
            env=self.environment,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout)

    def finish(self, *options: str, **names: str) -> Outcome:
        """Run a config, which must succeed."""
        outcome = self.run(*options, **names)
        assert outcome.code == 0, outcome.text
        return outcome

    def lindiff(self, *arguments: str) -> Outcome:
        """Call the command line."""
        return self.call([sys.executable, "-m", "lindiff.cli", *arguments])

    def table(self, name: str = "tiny") -> pa.Table:
        """The collected table."""
        return pq.read_table(self.results / name / "metrics.parquet")

    def rows(self, name: str = "tiny") -> dict[str, dict[str, Any]]:
        """The rows of the table by cell, times aside."""
        rows = self.table(name).drop_columns(["seconds"]).to_pylist()
        found = {row["cell_id"]: row for row in rows}
        assert len(found) == len(rows), "a cell stands twice in the table"
        return found

    def files(self) -> dict[str, tuple[int, int]]:
        """Size and time of every file, Snakemake's own folder aside."""
        return {
            str(path.relative_to(self.folder)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in self.folder.rglob("*")
            if ".snakemake" not in path.parts and path.is_file()
        }
