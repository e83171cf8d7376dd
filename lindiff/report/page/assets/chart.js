"use strict";
// The panels on the page: uPlot has the axes, the zoom and the canvas, `paintPanel` draws on it.

const TICKS = { x: 6, y: 6 };
const REACH = 16; // pixels about a point in which a click is meant for it
const FONT = "12px system-ui, sans-serif";

/** What all panels of a view share: axes and looks. */
function makeLayout(table, view, made) {
  const points = made.panels.flatMap((panel) => panel.series.flatMap((series) => series.points));
  const x = table.setting.get(view.x);
  const colour = table.setting.get(view.colour);
  const rows = points.map((point) => point.row);
  const codes = colour ? valuesOf(colour, rows) : [0];
  const metric = table.metric.get(view.metric);
  return {
    x: x ? abscissa(x, valuesOf(x, rows), view.logX) : ordinate([], false),
    y: ordinate(points, view.logY),
    xColumn: x,
    xLabel: x ? x.label : "", yLabel: metric ? axisLabel(metric) : "",
    colour, codes,
    looks: new Map(codes.map((code) => [code, lookOf(colour, code)])),
  };
}

function axisLabel(metric) {
  return metric.unit ? `${metric.label} [${metric.unit}]` : metric.label;
}

/** Where points are, for a function from values to pixels and the ends of the ordinate. */
function makeFrame(layout, toX, toY, top, bottom) {
  const place = (point) => layout.x.places.get(layout.xColumn.codes[point.row]);
  return {
    joins: !layout.x.words,
    place,
    at: (point, value) => [
      toX(place(point)), Math.max(top - 9999, Math.min(bottom + 9999, toY(value)))],
    edge: (value) => {
      if (value === Infinity) return "up";
      return value === -Infinity || (layout.y.log && value <= 0) ? "down" : "";
    },
    atEdge: (point, edge) => [toX(place(point)), edge === "up" ? top + 6 : bottom - 6],
  };
}

/** A chart of one panel in an element. */
function makeChart(element, panel, layout, size, onPick) {
  const frameOf = (plot) => {
    const { top, height } = plot.bbox;
    const clamp = (value) => (layout.y.log && !(value > 0) ? plot.scales.y.min / 1e6 : value);
    return makeFrame(
      layout, (x) => plot.valToPos(x, "x", true), (y) => plot.valToPos(clamp(y), "y", true),
      top, top + height);
  };
  const draw = (plot) => {
    const { left, top, width, height } = plot.bbox;
    plot.ctx.save();
    plot.ctx.beginPath();
    plot.ctx.rect(left, top, width, height);
    plot.ctx.clip();
    paintPanel(new CanvasPen(plot.ctx, devicePixelRatio), panel, frameOf(plot), layout.looks);
    plot.ctx.restore();
  };
  const plot = new uPlot({
    ...size,
    legend: { show: false },
    cursor: { drag: { x: true, y: true, uni: 20 }, points: { show: false } },
    scales: { x: makeScale(layout.x), y: makeScale(layout.y) },
    axes: [makeAxis("x", layout.x, layout.xLabel), makeAxis("y", layout.y, layout.yLabel)],
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: { draw: [draw] },
  }, [[layout.x.low, layout.x.high], [layout.y.low, layout.y.high]], element);
  const chart = { plot, panel, layout, frameOf };
  listen(chart, element, onPick);
  return chart;
}

function makeScale({ low, high, log }) {
  return {
    time: false, distr: log ? 3 : 1,
    range: (plot, min, max) => (min === null || min === max ? [low, high] : [min, max]),
  };
}

function makeAxis(scale, axis, label) {
  return {
    scale, label, labelFont: FONT, font: FONT, stroke: "#333", labelSize: 20,
    size: scale === "x" ? 28 : 56, gap: 3,
    border: { show: true, stroke: "#999", width: 1 },
    grid: { stroke: "#e6e6e6", width: 1 }, ticks: { stroke: "#999", width: 1, size: 4 },
    splits: (plot, _, low, high) => ticks(axis, low, high, tickCount(plot, scale)).map(([at]) => at),
    values: (plot, places) => {
      const texts = new Map(ticks(axis, plot.scales[scale].min, plot.scales[scale].max,
        tickCount(plot, scale)));
      return places.map((place) => texts.get(place) ?? "");
    },
    filter: (plot, places) => places,
  };
}

/** Fewer ticks where there is less room for them. */
function tickCount(plot, scale) {
  return scale === "x" ? Math.max(2, Math.min(TICKS.x, Math.floor(plot.width / 75))) : TICKS.y;
}

/** All points of a chart with their places in its plotting area, in pixels of the page. */
function placed(chart) {
  const { plot, layout } = chart;
  const frame = makeFrame(
    layout, (x) => plot.valToPos(x, "x"), (y) => plot.valToPos(y, "y"), 0, plot.over.clientHeight);
  return chart.panel.series.flatMap((series, number) => series.points.map((point) => {
    const edge = frame.edge(point.value);
    const [left, top] = edge ? frame.atEdge(point, edge) : frame.at(point, point.value);
    return { point, series, number, left, top };
  })).filter(({ left, top }) => left >= -1 && top >= -1
    && left <= plot.over.clientWidth + 1 && top <= plot.over.clientHeight + 1);
}

/** The point that is nearest to a place, if one is in reach. */
function nearest(chart, left, top) {
  let [best, distance] = [null, REACH];
  for (const one of placed(chart)) {
    const own = Math.hypot(one.left - left, one.top - top);
    if (own < distance) [best, distance] = [one, own];
  }
  return best;
}

/** Pick points by the mouse, and by the keyboard: arrows go along a series and to the next one. */
function listen(chart, element, onPick) {
  let down = null;
  const { over } = chart.plot;
  over.addEventListener("mousedown", (event) => { down = [event.clientX, event.clientY]; });
  over.addEventListener("click", (event) => {
    if (down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return;
    const box = over.getBoundingClientRect();
    const found = nearest(chart, event.clientX - box.left, event.clientY - box.top);
    if (found) onPick(chart, found, true);
  });
  element.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (steps[event.key]) {
      event.preventDefault();
      const found = stepped(chart, ...steps[event.key]);
      if (found) onPick(chart, found, false);
    } else if (event.key === "Enter" && chart.current) {
      event.preventDefault();
      onPick(chart, chart.current, true);
    }
  });
}

/** The point beside the current one in its series, or the nearest one of another series. */
function stepped(chart, along, across) {
  const every = placed(chart);
  const now = chart.current && every.find((one) => one.point === chart.current.point);
  if (!now) return every[0];
  const own = every.filter((one) => one.number === now.number);
  if (along) return own[own.indexOf(now) + along] ?? now;
  const others = [...new Set(every.map((one) => one.number))];
  const next = others[others.indexOf(now.number) + across];
  return every.filter((one) => one.number === next).reduce(
    (best, one) => (best && Math.abs(best.left - now.left) <= Math.abs(one.left - now.left)
      ? best : one), undefined) ?? now;
}

/** Put the ring about a point. */
function ring(chart, { left, top }) {
  let mark = chart.plot.over.querySelector(".ring");
  if (!mark) {
    mark = document.createElement("div");
    mark.className = "ring";
    chart.plot.over.append(mark);
  }
  mark.style.left = `${left}px`;
  mark.style.top = `${top}px`;
}
