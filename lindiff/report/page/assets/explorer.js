"use strict";
// The explorer: controls, what they choose, and what is drawn.

const HEIGHT = { one: 420, several: 280 };
const NARROWEST = 300; // pixels of a panel beside others

class Explorer {
  constructor(table, root) {
    this.table = table;
    this.root = root;
    this.charts = [];
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.view = startingView(table, this.mostOfExperiments());
    this.part("details").open = innerWidth > 600; // a phone shows the chart first
    this.buildControls();
    this.listen();
    this.draw();
  }

  /** The experiment with the most cells; none where there are no cells. */
  mostOfExperiments() {
    const { values, codes } = this.table.experiments;
    const counts = new Map();
    const sizes = new Array(values.length).fill(0);
    for (const code of codes) sizes[code] += 1;
    values.forEach((list, code) => {
      for (const name of list) counts.set(name, (counts.get(name) ?? 0) + sizes[code]);
    });
    return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best), ["", 0])[0];
  }

  experiments() {
    return [...new Set(this.table.experiments.values.flat())].sort();
  }

  /** Fill the controls with what the table has and the view has chosen. */
  buildControls() {
    const { table, view } = this;
    const rows = selectedRows(table, { experiment: view.experiment, filters: {} });
    const several = variedAmong(table, rows);
    const options = several.map((column) => [column.name, optionText(column)]);
    const none = [["", "nothing"]];
    fill(this.part("experiment"), [["", "all"], ...this.experiments().map((e) => [e, e])],
      view.experiment);
    fill(this.part("metric"), table.metrics.map((c) => [c.name, optionText(c)]), view.metric);
    fill(this.part("x"), options, view.x);
    const apart = options.filter(([name]) => name !== table.repeated);
    fill(this.part("colour"), [...none, ...apart], view.colour);
    fill(this.part("facet"), [...none, ...apart], view.facet);
    const statistics = Object.entries(STATISTICS).map(([key, { label }]) => [key, label]);
    fill(this.part("statistic"), [["auto", "automatic"], ...statistics], view.statistic);
    for (const name of ["logX", "logY", "theory"]) this.part(name).checked = view[name];
    this.buildFilters(several, rows);
  }

  /** One select for each setting that varies. */
  buildFilters(several, rows) {
    const place = this.part("filters");
    place.replaceChildren();
    this.part("details").hidden = several.length === 0;
    for (const column of several) {
      const label = append(place, "label", "");
      append(label, "span", optionText(column)).title = column.help;
      const select = append(label, "select", "");
      select.dataset.filter = column.name;
      const known = valuesOf(column, rows).filter((code) => column.values[code] !== null)
        .map((code) => [String(code), valueText(column.values[code])]);
      fill(select, [["", "all"], ...known], String(this.view.filters[column.name] ?? ""));
      select.addEventListener("change", () => {
        this.view.filters[column.name] = select.value === "" ? "" : Number(select.value);
        this.draw();
      });
    }
  }

  listen() {
    for (const name of ["metric", "x", "colour", "facet", "statistic"]) {
      this.part(name).addEventListener("change", (event) => this.choose(name, event.target.value));
    }
    for (const name of ["logX", "logY", "theory"]) {
      this.part(name).addEventListener("change", (event) => {
        this.view[name] = event.target.checked;
        this.draw();
      });
    }
    this.part("experiment").addEventListener("change", (event) => this.restart(event.target.value));
    this.part("reset").addEventListener("click", () => this.restart(this.mostOfExperiments()));
    this.part("clear").addEventListener("click", () => {
      this.view.filters = {};
      this.buildControls();
      this.draw();
    });
    this.part("files").addEventListener("change", (event) => this.addFiles(event.target));
    this.part("copy").addEventListener("click", () => this.attempt(async () => {
      await copyText(csvOf(this.charts, this.table, this.view));
      return "The points are copied as CSV.";
    }));
    this.part("svg").addEventListener("click", () => this.attempt(async () => {
      download(this.svg(), `${this.fileName()}.svg`, "image/svg+xml");
      return "The SVG is saved.";
    }));
    this.part("png").addEventListener("click", () => this.attempt(async () => {
      download(await pngOf(this.svg()), `${this.fileName()}.png`);
      return "The PNG is saved.";
    }));
    let width = this.part("charts").clientWidth;
    new ResizeObserver(() => {
      if (this.part("charts").clientWidth !== width) this.draw();
      width = this.part("charts").clientWidth;
    }).observe(this.part("charts"));
  }

  /** Take a choice; axes that another choice changes get their scale anew. */
  choose(name, value) {
    this.view[name] = value;
    // What is told apart by place or colour is not held at one value.
    if (["x", "colour", "facet"].includes(name)) this.release(value);
    if (["x", "metric"].includes(name)) {
      const scales = startingScales(this.table, this.view);
      this.view[name === "x" ? "logX" : "logY"] = scales[name === "x" ? "logX" : "logY"];
    }
    this.buildControls();
    this.draw();
  }

  release(name) {
    const sizes = ["n", RATIO];
    for (const one of sizes.includes(name) ? sizes : [name]) delete this.view.filters[one];
  }

  restart(experiment) {
    const kept = this.view.metric;
    this.view = startingView(this.table, experiment);
    const rows = selectedRows(this.table, this.view);
    const data = this.table.metric.get(kept)?.data;
    if (data && rows.some((row) => !Number.isNaN(data[row]))) this.view.metric = kept;
    Object.assign(this.view, startingScales(this.table, this.view));
    this.buildControls();
    this.draw();
  }

  /** Add the tables of other pages; one that cannot be read is told. */
  async addFiles(input) {
    for (const file of input.files) {
      await this.attempt(async () => {
        const page = new DOMParser().parseFromString(await file.text(), "text/html");
        this.table = combined(this.table, await readTable(page));
        this.view.colour = "config";
        this.buildControls();
        this.draw();
        return `${file.name} is added: ${this.table.sources.at(-1).config}.`;
      }, `${file.name}: `);
    }
    input.value = "";
  }

  draw() {
    const { table, view } = this;
    const place = this.part("charts");
    for (const { plot } of this.charts) plot.destroy();
    place.replaceChildren();
    this.made = makePanels(table, view);
    this.layout = makeLayout(table, view, this.made);
    const size = this.panelSize(place, this.made.panels.length);
    place.style.setProperty("--panel", `${size.width}px`);
    this.charts = this.made.panels.map((panel, i) => this.drawPanel(place, panel, size, i));
    if (this.made.cells === 0) {
      append(place, "p", table.rows ? "No cell meets this choice: set a filter to “all”."
        : "This config has no cell that is ok.");
    }
    this.drawLegend();
    this.say(accountOf(table, view, this.made, this.layout));
    this.root.dataset.drawn = String(Number(this.root.dataset.drawn ?? 0) + 1);
  }

  panelSize(place, count) {
    const width = place.clientWidth;
    const columns = Math.max(1, Math.min(count, 3, Math.floor(width / NARROWEST)));
    return {
      width: Math.floor((width - 12 * (columns - 1)) / columns),
      height: count === 1 ? HEIGHT.one : HEIGHT.several,
    };
  }

  drawPanel(place, panel, size, number) {
    const element = append(place, "div", "");
    element.className = "panel";
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.setAttribute("aria-label", `${this.title()}${panel.title && `, ${panel.title}`}: `
      + "arrow keys go from point to point, Enter shows the cell");
    if (panel.title) append(element, "h3", panel.title);
    return makeChart(element, panel, this.layout, size, (chart, found, open) => {
      this.pick(chart, found, open);
    }, number);
  }

  /** Take a point: say what it is, and where it is meant show its cells. */
  pick(chart, found, open) {
    chart.current = found;
    ring(chart, found);
    this.part("point").textContent = this.pointText(found);
    if (!open) return;
    const lists = this.table.experiments;
    const title = showCells(
      this.table, found.point, (row) => lists.values[lists.codes[row]], this.part("cell"));
    this.part("cell").hidden = false;
    title.focus({ preventScroll: true });
    title.scrollIntoView({ block: "nearest" });
  }

  pointText({ point, series }) {
    const { table, layout, view } = this;
    const column = layout.xColumn;
    const words = [settingText(column, column.codes[point.row])];
    if (layout.colour) words.push(settingText(layout.colour, layout.colour.codes[point.row]));
    let value = `${table.metric.get(view.metric).label} = ${numberText(point.value)}`;
    if (!Number.isNaN(point.low)) {
      value += ` (${numberText(point.low)} to ${numberText(point.high)})`;
    }
    words.push(value, series.theory ? "theory" : cells(point.count));
    return words.join(", ");
  }

  drawLegend() {
    const place = this.part("legend");
    place.replaceChildren();
    for (const entry of legendEntries(this.layout, this.table, this.view, this.charts)) {
      const item = append(place, "li", "");
      item.append(swatch(entry));
      append(item, "span", entry.text);
    }
  }

  title() {
    const configs = this.table.sources.map((source) => source.config).join(", ");
    return `${configs}: ${this.layout.yLabel} over ${this.layout.xLabel}`;
  }

  svg() {
    return svgOf(this.charts, this.layout, this.table, this.view, this.title());
  }

  fileName() {
    return [this.table.config, this.view.metric, this.view.x].join("-").replace(/[^\w.-]+/g, "_");
  }

  say(text) {
    this.part("status").textContent = text;
  }

  /** Do something that may fail, and say how it went. */
  async attempt(action, prefix = "") {
    try {
      this.part("done").textContent = await action();
    } catch (error) {
      this.part("done").textContent = `${prefix}${error.message}`;
    }
  }
}

function optionText(column) {
  return column.label === column.name ? column.name : `${column.label} (${column.name})`;
}

/** The options of a select: value and text. */
function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  select.value = options.some(([value]) => value === chosen) ? chosen : options[0]?.[0] ?? "";
}

/** The mark of a legend's entry. */
function swatch({ line, marker, colour }) {
  const pen = new SvgPen();
  if (line) pen.line([[1, 8], [21, 8]], colour, 2);
  else pen.marker(marker, [11, 8], colour, 4, false);
  const text = `<svg xmlns="http://www.w3.org/2000/svg">${pen.parts[0]}</svg>`;
  const drawing = document.importNode(
    new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  for (const [name, value] of [["width", 22], ["height", 16], ["aria-hidden", true]]) {
    drawing.setAttribute(name, value);
  }
  return drawing;
}

/** Start when the page is read; what fails is said in the explorer's place. */
async function start() {
  const root = document.getElementById("explorer");
  try {
    window.explorer = new Explorer(await readTable(document), root);
    root.dataset.state = "ready";
  } catch (error) {
    root.dataset.state = "failed";
    root.querySelector('[data-part="status"]').textContent = `The explorer does not start: ${error}`;
    throw error;
  }
}

/** In Snakemake's report the page has no files beside it: no links to them. */
function markReport() {
  if (!/\/data\/raw\/[^/]+\/[^/]+$/.test(location.pathname)) return;
  document.body.classList.add("in-report");
  document.getElementById("in-report").hidden = false;
}

markReport();
start();
