"""Whether a browser shows the documentation: python -m tests.site build/site

Opens pages in headless Chromium, which finds no address but those of files, and looks for drawn
mathematics and for requests that leave the folder.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

from tests.browser import dump

# What a page loads by itself; a link that a reader follows is none of it.
_LOADED = re.compile(
    r"<(?:script|img|source|iframe)\b[^>]*\bsrc=\"([^\"]+)\"|<link\b[^>]*\bhref=\"([^\"]+)\"", re.S
)

_NO_ORIGIN = "not an origin"


def opened(path: Path) -> tuple[str, list[str]]:
    """A local page after its scripts have run, and the addresses beyond files that it asked for."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "net.json"
        # Requests of the browser's own are none of the page.
        html = dump(
            path, "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run", f"--log-net-log={log}",
        )  # fmt: skip
        return html, _asked(log.read_text(encoding="utf-8", errors="replace"))


def _asked(log: str) -> list[str]:
    """Addresses of the web that requests in a log of Chromium's network started with."""
    text = log if log.rstrip().endswith("}") else log.rstrip().rstrip(",") + "]}"
    starts = [event.get("params", {}) for event in json.loads(text)["events"]]
    # A request of the browser's own, for the time and the like, has no origin.
    urls = {s["url"] for s in starts if s.get("initiator", _NO_ORIGIN) != _NO_ORIGIN and "url" in s}
    return sorted(url for url in urls if re.match("https?://|wss?://", url))


def loads(html: str) -> list[str]:
    """Addresses of the web that a page names as something to load."""
    named = [one or other for one, other in _LOADED.findall(html)]
    return sorted({url for url in named if re.match("(https?:)?//", url)})


def problems(site: Path) -> list[str]:
    """What is wrong with a built site; empty if nothing is."""
    pages = sorted(site.rglob("*.html"))
    found = [] if pages else [f"{site}: no pages"]
    for path in pages:
        found += [f"{path.name}: loads {url}" for url in loads(path.read_text(encoding="utf-8"))]
    for name in ("tutorial", "index", "gallery", "api"):
        html, asked = opened(site / f"{name}.html")
        found += [f"{name}: asked for {url}" for url in asked]
        mathematics = len(re.findall(r'<span class="math|<div class="math', html))
        drawn = len(re.findall("<mjx-container", html))
        if drawn != mathematics or (name == "tutorial" and not drawn):
            found.append(f"{name}: {drawn} of {mathematics} formulas are drawn")
        if '<g data-mml-node="merror"' in html:
            found.append(f"{name}: a formula is not understood")
    return found


def main(arguments: list[str]) -> int:
    """The command line."""
    (site,) = map(Path, arguments)
    found = problems(site)
    print(
        "\n".join(found) or f"{site}: opens, draws its mathematics, and loads nothing from the web"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
