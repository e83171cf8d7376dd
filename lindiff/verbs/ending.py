"""How verbs end: with a message where the user or the machine is at fault, else a traceback."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from lindiff.config.words import message, printable
from lindiff.errors import InputError, is_of_machine, machine_text


class Group(click.Group):
    """A group whose verbs end with a message: on an `InputError` with code 2, else with 1.

    Any other error than those of the user and of the machine is ours, and has its traceback. A
    reader that has gone (`lindiff cells … | head`) is click's own case, no error to speak of.
    """

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        """As click's, its complaints `printable`."""
        with _printable():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """As click's; errors end with their code."""
        try:
            with _printable():
                return super().invoke(ctx)
        except InputError as error:
            click.echo(message(error), err=True)
            ctx.exit(2)
        except Exception as error:
            gone = isinstance(error, OSError) and error.errno == errno.EPIPE
            if gone or not is_of_machine(error):
                raise
            click.echo(printable(machine_text(error)), err=True)
            ctx.exit(1)


@contextmanager
def _printable() -> Iterator[None]:
    """What click says of an argument, it says with the argument in it."""
    try:
        yield
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]
        raise
