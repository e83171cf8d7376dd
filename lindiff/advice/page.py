"""The advice as one page of HTML that needs nothing else: words, picture, numbers."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from pathlib import Path

from lindiff import files
from lindiff.advice import words
from lindiff.advice.picture import draw
from lindiff.advice.result import Advice, Interval

_STYLE = """body{max-width:46em;margin:2em auto;font:16px/1.5 serif;padding:0 1em}
img{max-width:100%}table{border-collapse:collapse;font-size:14px}
td,th{padding:.1em .6em;text-align:right;border-bottom:1px solid #ddd}
div{overflow-x:auto}"""


def write(advice: Advice, page: Path, png: bytes, command: str) -> None:
    """Write the page, whole or not at all.

    Args:
        advice: What was found.
        page: The file.
        png: The picture.
        command: What makes a sweep of the same data; empty where nothing does.
    """
    files.write_text("".join(_parts(advice, png, command)), page)


def _parts(advice: Advice, png: bytes, command: str) -> Iterator[str]:
    name = html.escape(advice.name)
    yield (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Advice on {name}</title>\n'
        f"<style>{_STYLE}</style></head><body><h1>Advice on {name}</h1>\n"
    )
    picture = base64.b64encode(png).decode()
    caption = html.escape(" ".join((draw.__doc__ or "").split()))
    for i, (heading, lines) in enumerate(words.sections(advice)):
        yield f"<h2>{html.escape(heading)}</h2>\n"
        yield "".join(f"<p>{html.escape(line)}</p>\n" for line in lines)
        if i == 0:
            yield (
                f'<figure><img alt="Spectrum, losses and divergences over N" '
                f'src="data:image/png;base64,{picture}"><figcaption>{caption}</figcaption></figure>\n'
            )
    yield f"<h2>Numbers</h2>\n<div>{_table(advice)}</div>\n"
    if command:
        yield (
            "<h2>Next</h2>\n<p>The same as a sweep, with networks: "
            f"<code>{html.escape(command)}</code></p>\n"
        )
    yield "</body></html>\n"


def _table(advice: Advice) -> str:
    names = list(advice.curves)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("N", *names))
    rows = []
    for i, n in enumerate(advice.n):
        cells = [f"{n:,}"]
        for name in names:
            cells.append(words.between(Interval(*advice.curves[name][:, i].tolist())))
        rows.append("".join(f"<td>{html.escape(cell)}</td>" for cell in cells))
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"
