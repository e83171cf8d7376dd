"""The explorer in headless Chromium, by mouse and by keyboard.

Slow, and skipped where Chromium is not installed; LINDIFF_REQUIRE_CHROMIUM=1 makes that a failure.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from PIL import Image

from lindiff import figures
from lindiff.cli import main
from lindiff.drawing import intervals, tables
from lindiff.files import write_table
from lindiff.report.page import write
from lindiff.report.page.cells import read_cells
from lindiff.report.query import matching
from tests.figures import synthetic
from tests.report import pages
from tests.sweeps import Sweep

pytestmark = pytest.mark.slow
PHONE = {"width": 390, "height": 844}
READY = '#explorer[data-state="ready"]'
STATISTICS = {
    "mean": intervals.mean_interval,
    "geometric": intervals.geometric_mean_interval,
    "median": intervals.median_interval,
}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pages.chromium() as started:
        yield started


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """From the file of a page to the page in a browser, whose errors are the test's."""
    wrong: list[str] = []
    contexts = []

    def start(path: Path, **options: Any) -> Any:
        context = browser.new_context(accept_downloads=True, **options)
        contexts.append(context)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.goto(path.resolve().as_uri())
        page.wait_for_selector(READY)
        return page

    yield start
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pages.make(tmp_path_factory.mktemp("results") / "small", pages.sweep())


def choose(page: Any, **chosen: Any) -> None:
    """Set controls: selects by their values, check boxes by booleans."""
    for name, value in chosen.items():
        control = page.locator(f'[data-part="{name}"]')
        if isinstance(value, bool):
            control.set_checked(value)
        else:
            control.select_option(value)


def status(page: Any) -> str:
    return str(page.locator('[data-part="status"]').text_content())


def set_filter(page: Any, name: str, label: str) -> None:
    page.locator(f'[data-filter="{name}"]').select_option(label=label)


def wait_for_words(page: Any, words: str) -> None:
    """Wait until the explorer says so."""
    said = "document.querySelector('[data-part=\"done\"]').textContent"
    page.wait_for_function(f"(words) => {said}.includes(words)", arg=words)


def drawn(page: Any) -> list[dict[str, str]]:
    """What is drawn, as it is copied."""
    page.locator('[data-part="copy"]').click()
    wait_for_words(page, "copied")
    text = page.evaluate("navigator.clipboard.readText()")
    return list(csv.DictReader(io.StringIO(text)))


# Numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 10, 31])
def test_intervals_are_those_of_the_figures(name: str, count: int, opened: Any, small: Path):
    rng = np.random.default_rng(count)
    page = opened(small)
    numbers = [intervals.t_quantile(n) if n > 1 else None for n in range(count + 1)]
    orders = [intervals.order_statistics(n) if n > 1 else None for n in range(count + 1)]
    for kind in ("plain", "zero", "infinite"):
        values = rng.lognormal(sigma=2.0, size=count)
        if kind != "plain":
            values[0] = 0 if kind == "zero" else np.inf
        wanted = STATISTICS[name](values)
        sent = [str(value).replace("inf", "Infinity") for value in values]
        found = page.evaluate(
            "([name, x, t, medians]) => Object.entries(STATISTICS[name].of(x.map(Number), "
            "{t, medians})).map(([key, value]) => [key, String(value)])",
            [name, sent, numbers, orders],
        )
        got = {key: float(value.replace("Infinity", "inf")) for key, value in found}
        same = [wanted.value, wanted.low, wanted.high, wanted.count]
        np.testing.assert_allclose(
            [got[key] for key in ("value", "low", "high", "count")], same, rtol=1e-12
        )


@pytest.mark.parametrize("name", STATISTICS)
def test_points_are_the_summaries_of_the_table(name: str, opened: Any, small: Path):
    page = opened(small)
    choose(page, experiment="", x="n", colour="ridge", statistic=name, theory=False)
    page.locator('[data-part="clear"]').click()
    keys = ("spectrum", "d", "n", "ridge")
    every = read_cells(small.parent).table
    cells = tables.keep(every, "model", ["linear_exact"])
    wanted = tables.summarise(cells, keys, ["test_loss"], STATISTICS[name]).to_pylist()
    found = drawn(page)
    assert len(found) == len(wanted) == 32
    by_key = {tuple(map(str, (row[key] for key in keys))): row for row in found}
    for row in wanted:
        spectrum, d, n, ridge = (row[key] for key in keys)
        own = by_key[spectrum, str(d), str(n), f"{ridge:g}"]
        assert int(own["cells"]) == row["seeds"] == 4
        for column in ("value", "low", "high"):
            assert float(own[column]) == pytest.approx(row[column], rel=1e-6)


# Choices ---------------------------------------------------------------------------------------


def test_axes_colours_panels_and_filters(opened: Any, small: Path):
    page = opened(small)
    assert page.locator('[data-part="x"]').input_value() == "n_over_d"
    assert page.locator(".panel").count() == 1
    before = {row["n_over_d"] for row in drawn(page)}
    choose(page, metric="c_mean")
    assert not page.locator('[data-part="logY"]').is_checked()
    assert {row["metric"] for row in drawn(page)} == {"c_mean"}
    choose(page, metric="test_loss", x="d", colour="spectrum")
    set_filter(page, "n", "16")
    rows = drawn(page)
    assert {row["n"] for row in rows} == {"16"}
    assert {row["d"] for row in rows} == {"8", "16"} != before
    legend = page.locator('[data-part="legend"]').text_content()
    assert "spectrum = power law (exponent 1)" in legend
    assert "spectrum = isotropic" in legend
    choose(page, facet="ridge")
    assert page.locator(".panel").count() == 2
    assert page.locator(".panel h3").all_text_contents() == ["ridge c = 0", "ridge c = 0.1"]
    set_filter(page, "spectrum", "isotropic")
    assert {row["spectrum"] for row in drawn(page)} == {"isotropic"}
    choose(page, statistic="cells")
    assert {row["cells"] for row in drawn(page)} == {"1"}
    assert "A point is a cell." in status(page)
    page.locator('[data-part="reset"]').click()
    assert page.locator(".panel").count() == 1


def test_a_setting_that_goes_along_with_the_model_hides_none(opened: Any, tmp_path: Path):
    """A learning rate of 0 is that of linear models alone."""
    sizes = {"n": [4, 8, 16], "seed": [0, 1]}
    made = pages.rows(**sizes, model="linear_exact", learning_rate=0.0)
    made += pages.rows(**sizes, model="mlp", learning_rate=0.01)
    made += pages.rows(**sizes, model="empirical", learning_rate=None)
    for number, row in enumerate(made):
        row |= {"cell_id": f"{number:032x}", "test_loss": 1.0 / row["n"]}
    page = opened(pages.make(tmp_path / "models", made))
    assert page.locator('[data-part="colour"]').input_value() == "model"
    assert {row["model"] for row in drawn(page)} == {"linear_exact", "mlp", "empirical"}


def test_theory_is_a_line_and_can_go(opened: Any, small: Path):
    page = opened(small)
    choose(page, colour="ridge")
    assert "theory, ridge c = 0" in page.locator('[data-part="legend"]').text_content()
    models = {row["model"] for row in drawn(page)}
    assert models == {"linear_exact", "linear_theory"}
    choose(page, theory=False)
    assert {row["model"] for row in drawn(page)} == {"linear_exact"}
    assert "theory" not in page.locator('[data-part="legend"]').text_content()


def test_a_logarithm_marks_what_it_has_no_place_for(opened: Any, tmp_path: Path):
    made = pages.rows(n=[4, 8, 16, 32], ridge=[0.0, 0.1, 10.0], seed=[0, 1])
    for row in made:
        row["test_loss"] = {4: 0.0, 8: float("inf"), 16: None}.get(row["n"], 0.5)
        row["train_loss"] = 0.1
    page = opened(pages.make(tmp_path / "odd", made))
    choose(page, metric="test_loss", x="n", logY=True)
    assert "At the upper edge: infinite; at the lower edge: not above 0." in status(page)
    assert "6 cells without test_loss." in status(page)
    values = {(row["n"], row["value"]) for row in drawn(page)}
    assert values == {("4", "0"), ("8", "inf"), ("32", "0.5")}
    # A ridge of 0 has its place beside the others, with its tick.
    choose(page, metric="train_loss", x="ridge", colour="n", logX=True)
    assert {row["ridge"] for row in drawn(page)} == {"0", "0.1", "10"}
    ticks = page.evaluate(
        "ticks(explorer.layout.x, explorer.layout.x.low, explorer.layout.x.high, 6)"
    )
    assert ticks[0][1] == "0"
    assert 0 < ticks[0][0] < 0.1


def test_only_training_sets_are_repetitions(opened: Any, tmp_path: Path):
    """Two trainings on one training set are not independent: they are points of their own."""
    made = pages.rows(n=[4, 8], seed=[0, 1, 2], train_seed=[0, 1])
    for row in made:
        row["test_loss"] = 1.0 + row["seed"] + 10 * row["train_seed"]
    page = opened(pages.make(tmp_path / "trained", made))
    choose(page, x="n", statistic="mean")
    page.locator('[data-part="clear"]').click()
    found = {(row["train_seed"], row["value"], row["cells"]) for row in drawn(page)}
    assert found == {("0", "2", "3"), ("1", "12", "3")}


# Points, cells and files -----------------------------------------------------------------------


def places(page: Any) -> list[dict[str, float]]:
    """Where the points of the first panel are, in pixels of the window."""
    found: list[dict[str, float]] = page.evaluate(
        """() => { const chart = explorer.charts[0];
        const box = chart.plot.over.getBoundingClientRect();
        return placed(chart).filter((one) => !one.series.theory).map(
          ({left, top, point}) => ({x: box.left + left, y: box.top + top, row: point.row})); }"""
    )
    return found


def commands(cell: Any) -> list[str]:
    """The commands that stand above a cell: what computes it again, and what shows it."""
    return [str(text) for text in cell.locator("p > code").all_text_contents()]


def test_a_click_on_a_point_shows_its_cells(opened: Any, small: Path):
    page = opened(small)
    page.locator(".panel").scroll_into_view_if_needed()
    first = places(page)[0]
    page.mouse.click(first["x"], first["y"])
    cell = page.locator('[data-part="cell"]')
    assert cell.is_visible()
    again, command = commands(cell)
    folder, condition = command.removeprefix("lindiff cells ").split(" ")
    assert Path(folder) == small.parent
    (row,) = matching(small.parent, [condition]).to_pylist()
    assert again == f"lindiff recompute {folder} {row['cell_id']}"
    text = cell.inner_text()
    for name in ("d", "n", "seed", "sampler", "schedule"):
        assert f"{name}\t{row[name]}" in text
    assert f"test_loss\t{row['test_loss']:.7g}" in text
    assert "1 of 4 cells of this point" in text
    cell.locator(".next").click()
    others = commands(cell)
    assert not {again, command} & set(others)
    assert "2 of 4 cells of this point" in cell.inner_text()
    for other in others:
        cell.locator("p", has_text=other).get_by_role("button").click()
        cell.locator("p", has_text=other).get_by_text("Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == other


def test_the_command_of_a_cell_computes_it_again(opened: Any, tmp_path: Path):
    """Of a sweep that was computed: what is copied runs as it stands."""
    sweep = Sweep(tmp_path / "a folder")
    sweep.folder.mkdir()
    sweep.finish(sweep.config())
    path = sweep.results / "tiny/index.html"
    write.write(path.parent, [], ["metrics.parquet"], path)
    page = opened(path)
    page.locator(".panel").scroll_into_view_if_needed()
    first = places(page)[0]
    page.mouse.click(first["x"], first["y"])
    lindiff, *words = shlex.split(commands(page.locator('[data-part="cell"]'))[0])
    assert lindiff == "lindiff"
    result = CliRunner().invoke(main, [*words, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    shown = re.search(r"test_loss\t(\S+)", page.locator('[data-part="cell"]').inner_text())
    assert shown is not None
    now = found["metrics"]["test_loss"]["now"]
    assert float(shown[1]) == pytest.approx(now, rel=1e-6), "a page has seven digits"


def test_the_view_is_saved_as_svg_and_png(opened: Any, small: Path, tmp_path: Path):
    page = opened(small)
    choose(page, facet="spectrum", colour="ridge")
    with page.expect_download() as saved:
        page.locator('[data-part="svg"]').click()
    assert saved.value.suggested_filename == "small-test_loss-n_over_d.svg"
    root = ET.fromstring(Path(saved.value.path()).read_text(encoding="utf-8"))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "small: test loss over N/d" in texts
    assert {"spectrum = isotropic", "theory, ridge c = 0", "ridge c = 0.1", "N/d"} <= set(texts)
    marks = [e for e in root.iter() if e.tag in (f"{SVG}circle", f"{SVG}polygon")]
    assert len(marks) > 2 * 2 * 4
    with page.expect_download() as saved:
        page.locator('[data-part="png"]').click()
    with Image.open(Path(saved.value.path())) as picture:
        width = int(root.attrib["width"])
        assert (picture.format, picture.width) == ("PNG", 2 * width)
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
        assert len(colours) > 20


def test_many_cells_are_dots(opened: Any, tmp_path: Path):
    made = pages.rows(n=list(range(4, 54)), ridge=[0.0, 0.1], seed=list(range(50)))
    for row in made:
        row["test_loss"] = 1 + 8 / row["n"] + row["seed"] / 100
    page = opened(pages.make(tmp_path / "many", made))
    choose(page, x="n", colour="ridge", statistic="cells")
    assert "5,000 cells drawn. A point is a cell." in status(page)
    with page.expect_download() as saved:
        page.locator('[data-part="svg"]').click()
    root = ET.fromstring(Path(saved.value.path()).read_text(encoding="utf-8"))
    paths = [element.attrib["d"] for element in root.iter(f"{SVG}path")]
    assert [path.count("M") for path in paths] == [2500, 2500]


def test_the_keyboard_is_enough(opened: Any, small: Path):
    """Tab comes to every control and every chart; arrows go through points, Enter opens one."""
    page = opened(small)
    page.locator('nav a[href="#explorer"]').focus()
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => { const e = document.activeElement; const style = getComputedStyle(e);
            return [e.dataset.part ?? e.dataset.filter ?? e.className,
              (e.labels?.[0]?.textContent ?? e.textContent) || e.getAttribute("aria-label"),
              style.outlineStyle]; }"""
        )
        seen.append(focused)
        if focused[0] == "panel":
            break
    names = [name for name, _, _ in seen]
    parts = ("experiment", "metric", "x", "colour", "facet", "statistic", "logX", "logY", "theory")
    for part in (*parts, "spectrum", "ridge", "panel"):
        assert part in names, seen
    for name, label, outline in seen:
        assert label, f"{name} has no label"
        assert outline != "none", f"the focus on {name} is not seen"
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    said = str(page.locator('[data-part="point"]').text_content())
    assert "N/d = " in said
    assert "test loss = " in said
    page.keyboard.press("ArrowUp")
    assert page.locator('[data-part="point"]').text_content() != said
    page.keyboard.press("Enter")
    assert page.locator('[data-part="cell"]').is_visible()
    assert page.evaluate("document.activeElement.textContent").startswith("Cell ")
    # A choice by keys alone.
    page.locator('[data-part="metric"]').focus()
    page.keyboard.press("ArrowDown")
    assert page.locator('[data-part="metric"]').input_value() != "test_loss"


def test_a_phone_scrolls_in_one_direction(opened: Any, small: Path):
    page = opened(small, viewport=PHONE, has_touch=True, is_mobile=True)
    choose(page, facet="ridge")
    page.locator(".panel").first.scroll_into_view_if_needed()
    first = places(page)[0]
    page.touchscreen.tap(first["x"], first["y"])
    page.wait_for_selector('[data-part="cell"]:not([hidden])')
    widths = page.evaluate(
        "[document.documentElement.scrollWidth, innerWidth, visualViewport.width]"
    )
    assert widths == [390, 390, 390]
    assert page.locator(".panel").first.bounding_box()["width"] > 300


def test_the_copy_in_a_report_has_no_dead_links(opened: Any, small: Path, tmp_path: Path):
    copy = tmp_path / "report/data/raw/0123/index.html"
    copy.parent.mkdir(parents=True)
    shutil.copyfile(small, copy)
    for path, links in ((small, True), (copy, False)):
        page = opened(path)
        assert page.locator('a[href="metrics.parquet"]').is_visible() == links
        assert page.locator("#in-report").is_visible() != links


def test_figures_are_seen_with_their_captions(opened: Any, tmp_path: Path):
    folder = tmp_path / "drawn"
    folder.mkdir()
    metrics, *_ = synthetic.sweep()
    ids = pa.array([f"{number:032x}" for number in range(len(metrics))])
    metrics = metrics.set_column(0, "cell_id", ids)
    write_table(metrics, folder / "metrics.parquet", {})
    for name in ("kl", "phase"):
        figures.draw_figure(name, folder, ["one"])
    path = folder / "index.html"
    write.write(folder, ["kl", "phase"], ["metrics.parquet"], path)
    page = opened(path)
    for part, name in (("answers", "kl"), ("figures", "phase")):
        figure = page.locator(f"#{part} #figure-{name} figure")
        assert figure.locator("img").evaluate("async (i) => { await i.decode(); return i.width; }")
        text = " ".join(figure.inner_text().split())
        assert figures.caption(name).replace("`", "") in text
        link = figure.locator("a").first.get_attribute("href")
        assert (folder / link).is_file()
    assert page.locator("#answers article").count() == 1
    page.locator("#summary a").first.click()
    assert page.url.endswith("#figure-kl")


# Several configs, odd tables -------------------------------------------------------------------


def test_two_configs_are_compared(opened: Any, small: Path, tmp_path: Path):
    made = pages.rows(d=8, n=[4, 16], ridge=[0.0, 0.5], seed=[0, 1], experiments=["other"])
    for number, row in enumerate(made):
        row["test_loss"], row["cell_id"] = 100.0 + row["seed"], f"{number + 9000:032x}"
    other = pages.make(tmp_path / "other", made)
    page = opened(small)
    page.locator('[data-part="files"]').set_input_files([other])
    page.wait_for_function("() => explorer.table.sources.length === 2")
    assert "is added: other." in page.locator('[data-part="done"]').text_content()
    choose(page, experiment="", x="n", colour="config", theory=False)
    page.locator('[data-part="clear"]').click()
    rows = drawn(page)
    assert {row["config"] for row in rows} == {"small", "other"}
    own = [row for row in rows if row["config"] == "other"]
    assert {row["ridge"] for row in own} == {"0", "0.5"}
    assert all(float(row["value"]) == pytest.approx(np.sqrt(100 * 101)) for row in own)
    row = page.evaluate("explorer.table.rows - 1")
    origin = page.evaluate(f"rowOrigin(explorer.table, {row})")
    assert origin == {"id": made[-1]["cell_id"], "config": "other", "folder": str(other.parent)}
    # The same again is told apart, what is no page is refused.
    page.locator('[data-part="files"]').set_input_files([other])
    page.wait_for_function("() => explorer.table.sources.length === 3")
    names = page.evaluate("explorer.table.sources.map((source) => source.config)")
    assert names == ["small", "other", "other (2)"]
    (tmp_path / "notes.html").write_text("<p>nothing")
    page.locator('[data-part="files"]').set_input_files([tmp_path / "notes.html"])
    wait_for_words(page, "no page of lindiff")


def test_bad_names_do_nothing(opened: Any, tmp_path: Path):
    name = pages.HOSTILE.replace("/", "_")
    made = pages.rows(
        n=[4, 8], data=[f"{name}@0123456789abcdef", "=cmd"], experiments=[pages.HOSTILE]
    )
    for row in made:
        row["test_loss"] = 0.5
    page = opened(pages.make(tmp_path / name, made))
    choose(page, colour="data", facet="data")
    page.locator(".panel").first.scroll_into_view_if_needed()
    first = places(page)[0]
    page.mouse.click(first["x"], first["y"])
    page.wait_for_selector('[data-part="cell"]:not([hidden])')
    assert page.locator('[data-part="experiment"]').locator("option").all_text_contents() == [
        "all", pages.HOSTILE,
    ]  # fmt: skip
    assert page.evaluate("window.bad") is None
    assert page.locator("img").count() == 0
    assert page.title() == name
    with page.expect_download() as saved:
        page.locator('[data-part="svg"]').click()
    ET.fromstring(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert {row["data"] for row in drawn(page)} >= {"=cmd", name}


@pytest.mark.parametrize("kind", ["none", "one", "null"])
def test_hardly_any_data(kind: str, opened: Any, tmp_path: Path):
    made = [] if kind == "none" else pages.rows(n=[4] if kind == "one" else [4, 8])
    for row in made if kind == "one" else ():
        row["test_loss"] = 0.5
    page = opened(pages.make(tmp_path / kind, made))
    text = page.locator("#explorer").inner_text()
    if kind == "one":
        assert "1 cell drawn." in text
        assert page.locator(".panel").count() == 1
    else:
        assert "0 cells drawn." in text
    for part in ("copy", "svg"):
        page.locator(f'[data-part="{part}"]').click()
    assert json.loads(page.evaluate("JSON.stringify(explorer.view.metric)")) == (
        "test_loss" if kind == "one" else ""
    )
