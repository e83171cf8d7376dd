"""Whether a browser shows the HTML report: python -m tests.browser results/NAME/report.zip

Unpacks the report as a user does, opens it in headless Chromium without a network, and looks for
the heading of every figure in the page that the browser has built.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lindiff import figures


def page(path: Path) -> str:
    """The text of a local page after its scripts have run."""
    with tempfile.TemporaryDirectory() as profile:
        html = subprocess.run(
            [
                *("chromium", "--headless", "--disable-gpu", f"--user-data-dir={profile}"),
                # Chromium refuses its sandbox to root.
                *("--no-sandbox", "--disable-dev-shm-usage"),
                # No address but the file's own is to be had.
                *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=10000"),
                *("--dump-dom", path.resolve().as_uri()),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        ).stdout
    without_code = re.sub(r"<(script|style|noscript)\b.*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without_code))


def problems(report: Path) -> list[str]:
    """What is wrong with a report; empty when it shows all figures of its results folder."""
    wanted = {path.name for path in (report.parent / "figures").glob("*.pdf")}
    found = []
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(report) as archive:
        archive.extractall(folder)
        pdfs = {path.name: path for path in Path(folder).glob("report/data/raw/*/*.pdf")}
        if not wanted or set(pdfs) != wanted:
            found.append(f"figures in the report: {sorted(pdfs)}, in the folder: {sorted(wanted)}")
        found += [f"{n}: not a PDF" for n, p in pdfs.items() if p.read_bytes()[:5] != b"%PDF-"]
        if not list(Path(folder).glob("report/data/raw/*/index.html")):
            found.append("the page of the config is not in the report")
        text = page(Path(folder) / "report" / "report.html")
    headings = {figures.category(Path(name).stem) for name in wanted}
    return found + [f"heading not shown: {h}" for h in sorted(headings) if h not in text]


def main(arguments: list[str]) -> int:
    """The command line."""
    (report,) = map(Path, arguments)
    found = problems(report)
    print("\n".join(found) or f"{report}: opens, and shows every figure's heading")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
