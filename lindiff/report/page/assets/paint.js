"use strict";
// What a panel looks like, once for the canvas on the page and for the SVG that is saved: a pen
// has line, area, marker, dots and, of SVG, text. Colours and markers are those of the figures.

const BLACK = "#000000";
const GREY = "#767676";
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
const MARKERS = ["circle", "square", "up", "diamond", "down", "plus"];
const MANY = 4000; // points from which on they are dots

/** Colour and marker of a value: no two of the first 36 have the same of both. */
function lookOf(column, code) {
  if (!column || column.values[code] === null) return { colour: BLACK, marker: "circle" };
  const round = Math.floor(code / COLOURS.length);
  return {
    colour: COLOURS[code % COLOURS.length],
    marker: MARKERS[(code + round) % MARKERS.length],
  };
}

/** Draw the series of a panel; `frame` says where values are. */
function paintPanel(pen, panel, frame, looks) {
  const measured = panel.series.filter((series) => !series.theory);
  const many = measured.reduce((sum, series) => sum + series.points.length, 0) > MANY;
  for (const series of measured) paintBand(pen, series, frame, looks.get(series.code).colour);
  for (const series of measured) paintPoints(pen, series, frame, looks.get(series.code), many);
  for (const series of panel.series.filter((one) => one.theory)) {
    paintLine(pen, series, frame, looks.get(series.code).colour);
  }
}

/** The band between neighbours that have an interval; a bar where a neighbour has none. */
function paintBand(pen, series, frame, colour) {
  let run = [];
  const finish = () => {
    if (run.length > 1 && frame.joins) {
      const low = run.map((point) => frame.at(point, point.low));
      const high = run.map((point) => frame.at(point, point.high));
      pen.area([...low, ...high.reverse()], colour);
    }
    for (const point of run) {
      if (run.length > 1 && frame.joins) continue;
      pen.line([frame.at(point, point.low), frame.at(point, point.high)], colour, 1.2);
    }
    run = [];
  };
  for (const point of series.points) {
    if (Number.isFinite(point.low) && !Number.isNaN(point.high)) run.push(point);
    else finish();
  }
  finish();
}

function paintPoints(pen, series, frame, { colour, marker }, many) {
  const inside = [];
  for (const point of series.points) {
    const edge = frame.edge(point.value);
    if (edge) pen.marker(edge, frame.atEdge(point, edge), colour, 4.5, true);
    else inside.push(frame.at(point, point.value));
  }
  if (many) pen.dots(inside, colour);
  else for (const place of inside) pen.marker(marker, place, colour, 3.5, false);
}

function paintLine(pen, series, frame, colour) {
  let run = [];
  const finish = () => {
    if (run.length > 1) pen.line(run, colour, 1.6);
    else if (run.length) pen.marker("plus", run[0], colour, 5, false);
    run = [];
  };
  for (const point of series.points) {
    if (frame.edge(point.value)) finish();
    else run.push(frame.at(point, point.value));
  }
  finish();
}

/** The corners of a marker about its middle, for a radius of 1; a circle has none. */
const SHAPES = {
  square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
  up: [[0, -1.15], [1, 0.85], [-1, 0.85]],
  down: [[0, 1.15], [1, -0.85], [-1, -0.85]],
  diamond: [[0, -1.3], [1.1, 0], [0, 1.3], [-1.1, 0]],
  plus: [[-0.35, -1.1], [0.35, -1.1], [0.35, -0.35], [1.1, -0.35], [1.1, 0.35], [0.35, 0.35],
    [0.35, 1.1], [-0.35, 1.1], [-0.35, 0.35], [-1.1, 0.35], [-1.1, -0.35], [-0.35, -0.35]],
};

function corners(shape, [x, y], radius) {
  return SHAPES[shape].map(([dx, dy]) => [x + radius * dx, y + radius * dy]);
}

class CanvasPen {
  /** A pen on a canvas whose pixels are `ratio` times smaller than those of the page. */
  constructor(context, ratio) {
    this.context = context;
    this.ratio = ratio;
  }

  path(places, close) {
    this.context.beginPath();
    places.forEach(([x, y], i) => (i ? this.context.lineTo(x, y) : this.context.moveTo(x, y)));
    if (close) this.context.closePath();
  }

  line(places, colour, width) {
    this.path(places, false);
    this.context.strokeStyle = colour;
    this.context.lineWidth = width * this.ratio;
    this.context.stroke();
  }

  area(places, colour) {
    this.path(places, true);
    this.context.globalAlpha = 0.22;
    this.context.fillStyle = colour;
    this.context.fill();
    this.context.globalAlpha = 1;
  }

  marker(shape, place, colour, radius, filled) {
    const size = radius * this.ratio;
    if (shape === "circle") {
      this.context.beginPath();
      this.context.arc(place[0], place[1], size, 0, 2 * Math.PI);
    } else this.path(corners(shape, place, size), true);
    this.context.fillStyle = filled ? colour : "#FFFFFF";
    this.context.fill();
    this.context.strokeStyle = colour;
    this.context.lineWidth = 1.2 * this.ratio;
    this.context.stroke();
  }

  dots(places, colour) {
    const size = Math.max(1, Math.round(2 * this.ratio));
    const drawn = new Set(); // pixels; most of many points lie upon others
    this.context.fillStyle = colour;
    for (const place of places) {
      const [left, top] = place.map((one) => Math.round(one - size / 2));
      const pixel = left * 65536 + top;
      if (drawn.has(pixel)) continue;
      drawn.add(pixel);
      this.context.fillRect(left, top, size, size);
    }
  }
}

class SvgPen {
  constructor() {
    this.parts = [];
  }

  static points(places) {
    return places.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");
  }

  line(places, colour, width) {
    this.parts.push(`<polyline points="${SvgPen.points(places)}" fill="none" stroke="${colour}" `
      + `stroke-width="${width}"/>`);
  }

  area(places, colour) {
    this.parts.push(
      `<polygon points="${SvgPen.points(places)}" fill="${colour}" fill-opacity="0.22"/>`);
  }

  marker(shape, place, colour, radius, filled) {
    const look = `fill="${filled ? colour : "#FFFFFF"}" stroke="${colour}" stroke-width="1.2"`;
    if (shape === "circle") {
      const [x, y] = place.map((one) => one.toFixed(2));
      this.parts.push(`<circle cx="${x}" cy="${y}" r="${radius}" ${look}/>`);
    } else {
      const places = SvgPen.points(corners(shape, place, radius));
      this.parts.push(`<polygon points="${places}" ${look}/>`);
    }
  }

  dots(places, colour) {
    const path = places.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
    this.parts.push(
      `<path d="${path}" stroke="${colour}" stroke-width="2" stroke-linecap="square"/>`);
  }

  /** A text at a place; `turn` in degrees. */
  text(text, [x, y], { anchor = "middle", size = 12, turn = 0, weight = "normal" } = {}) {
    const rotate = turn ? ` transform="rotate(${turn} ${x.toFixed(1)} ${y.toFixed(1)})"` : "";
    this.parts.push(`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" `
      + `font-size="${size}" font-weight="${weight}"${rotate}>${escaped(text)}</text>`);
  }
}

/** A text as it may stand in SVG and HTML. */
function escaped(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (one) => entities[one])
    // What XML forbids.
    .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, "\uFFFD");
}
