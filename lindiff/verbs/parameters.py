"""What several verbs take: paths, options, arguments, and the config of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lindiff.session import DEVICES

if TYPE_CHECKING:
    from lindiff.config.resolve import Config


class PathName(click.Path):
    """A path; an empty one, as of a variable that is not set, would be the working directory."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, or click's complaint of it."""
        if value == "":
            self.fail("the name is empty", param, ctx)
        try:
            str(value).encode()
        except UnicodeEncodeError:
            self.fail(f"{value} is not UTF-8, as names of files are here", param, ctx)
        converted: Any = super().convert(value, param, ctx)
        return Path(converted)


class FileName(PathName):
    """A file that is read: no folder, and no pipe or device, which may never end."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, or click's complaint of it."""
        path = super().convert(value, param, ctx)
        if path.exists() and not path.is_file():
            self.fail(f"{path} is not a regular file", param, ctx)
        return path


class PassingOn(click.Command):
    """A command that keeps what stands behind ``--`` as it is, in ``ctx.meta["passed_on"]``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is left of the arguments."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["passed_on"] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The words of the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- SNAKEMAKE OPTIONS]"]


class Cores(click.ParamType):  # type: ignore[type-arg]
    """A number of cores, or ``all``."""

    name = "cores"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The number as text, or ``all``."""
        return "all" if value == "all" else str(click.IntRange(1).convert(value, param, ctx))


cores_option = click.option(
    "--cores", type=Cores(), metavar="N|all", help="Cores to use; by default all."
)
results_option = click.option(
    "--results",
    type=PathName(file_okay=False),
    default=Path("results"),
    show_default=True,
    help="The results folder.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; infinities as texts."
)
device_option = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="Where models are trained.",
)
max_cells_option = click.option(
    "--max-cells", type=int, help="Lift the limit on the size of the grid."
)
PATH, FILE = PathName(), FileName()
# Beside a config: what replaces its values.
settings_argument = click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")


def load_config(file: Path, settings: tuple[str, ...] = (), max_cells: int | None = None) -> Config:
    """The config of a file.

    Args:
        file: The YAML file.
        settings: ``KEY=VALUE`` each, in place of the file's.
        max_cells: In place of its limit on the grid.

    Raises:
        InputError: As `lindiff.config.resolve.load`.
    """
    from lindiff.config.resolve import load

    return load(file, settings if max_cells is None else (*settings, f"max_cells={max_cells}"))
