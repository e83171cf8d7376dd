"use strict";
// From the table and what a user chose to what is drawn: panels of series of points.

const MOST_PANELS = 12;
const MOST_COLOURS = 12; // of a setting that is told apart by colour at first
const RATIO = "n_over_d";

/** What is chosen at first: an experiment, and of its settings those that vary the most. */
function startingView(table, experiment, metric) {
  const every = selectedRows(table, { experiment, filters: {} });
  const isTheory = theoryTest(table);
  const measured = every.filter((row) => !isTheory(row));
  const rows = measured.length ? measured : every;
  const several = variedAmong(table, rows);
  const numeric = several.filter((column) => column.numeric && column.name !== table.repeated);
  const named = (name) => numeric.find((column) => column.name === name);
  const most = (columns) => columns.reduce(
    (best, one) => (best && valuesOf(best, rows).length >= valuesOf(one, rows).length ? best : one),
    undefined);
  const x = named(RATIO) ?? named("n") ?? most(numeric) ?? several[0];
  const free = several.filter((column) => !isBound(column.name, x?.name, table));
  const colour = most(free.filter((column) => valuesOf(column, rows).length <= MOST_COLOURS));
  const view = {
    experiment, metric: metric ?? startingMetric(table, rows), x: x?.name ?? "d",
    colour: colour?.name ?? "", facet: "", statistic: "auto", theory: true, filters: {},
  };
  view.filters = startingFilters(table, free.filter((column) => column !== colour), colour, rows);
  return { ...view, ...startingScales(table, view) };
}

/**
 * One value of each setting, such that some rows have all of them; none of a setting that goes
 * along with the colour, as the learning rate with the model: it would leave one colour.
 */
function startingFilters(table, columns, colour, rows) {
  const filters = {};
  let left = rows;
  for (const column of columns) {
    if (!variesWithin(column, colour, left)) continue;
    const code = startingValue(column, left);
    filters[column.name] = code;
    const lacking = column.values.indexOf(null);
    left = left.filter((row) => [code, lacking].includes(column.codes[row]));
  }
  return filters;
}

/** Settings with more than one value among some rows, none aside. */
function variedAmong(table, rows) {
  return varied(table).filter((column) => variesWithin(column, undefined, rows));
}

/** Whether a setting has more than one value, none aside, among rows, or among those of a colour. */
function variesWithin(column, colour, rows) {
  const seen = new Int32Array(colour ? colour.values.length : 1).fill(-1);
  for (const row of rows) {
    const code = column.codes[row];
    if (column.values[code] === null) continue;
    const own = colour ? colour.codes[row] : 0;
    if (seen[own] < 0) seen[own] = code;
    if (seen[own] !== code) return true;
  }
  return false;
}

/** The metric that comes first of those that the rows have. */
function startingMetric(table, rows) {
  const has = (metric) => rows.some((row) => !Number.isNaN(metric.data[row]));
  const known = ["test_loss", "kl_model_data"].map((name) => table.metric.get(name));
  const found = [...known, ...table.metrics].find((metric) => metric && has(metric));
  return (found ?? table.metrics[0])?.name ?? "";
}

/** Logarithmic axes where values are positive and far apart. */
function startingScales(table, view) {
  const rows = selectedRows(table, view);
  const x = table.setting.get(view.x);
  const metric = table.metric.get(view.metric);
  const wide = (values) => {
    const positive = values.filter((one) => one > 0 && Number.isFinite(one));
    return positive.length > 0 && Math.max(...positive) >= 20 * Math.min(...positive);
  };
  const xs = x && x.numeric ? valuesOf(x, rows).map((code) => x.values[code]) : [];
  let [low, high, negative] = [Infinity, 0, false];
  for (const row of metric ? rows : []) {
    const value = metric.data[row];
    negative ||= value < 0;
    if (value > 0 && value < Infinity) [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  return { logX: wide(xs) && xs.every((one) => !(one < 0)), logY: high >= 20 * low && !negative };
}

/** The largest d, of others the neutral value or the most frequent one. */
function startingValue(column, rows) {
  const present = valuesOf(column, rows);
  if (column.name === "d") return Math.max(...present.filter((c) => column.values[c] !== null));
  if (present.includes(column.neutral)) return column.neutral;
  const counts = new Map();
  for (const row of rows) counts.set(column.codes[row], (counts.get(column.codes[row]) ?? 0) + 1);
  const known = present.filter((code) => column.values[code] !== null);
  return known.reduce((best, code) => (counts.get(code) > counts.get(best) ? code : best));
}

/** The codes that a setting has in some rows, ascending. */
function valuesOf(column, rows) {
  const seen = new Uint8Array(column.values.length);
  for (const row of rows) seen[column.codes[row]] = 1;
  return Array.from(seen.keys()).filter((code) => seen[code]);
}

/** Rows that pass the filters: a cell of a model without a setting passes its filter. */
function selectedRows(table, { experiment, filters }) {
  const model = table.setting.get("model");
  const theory = model.values.indexOf(table.theory);
  const listed = table.experiments.values.map(
    (list) => !experiment || list.includes(experiment));
  const asked = Object.entries(filters)
    .filter(([name, code]) => code !== "" && table.setting.has(name))
    .map(([name, code]) => {
      const column = table.setting.get(name);
      const lacking = column.values.indexOf(null);
      return { codes: column.codes, code, lacking, model: name === "model" };
    });
  const rows = [];
  for (let row = 0; row < table.rows; row++) {
    if (!listed[table.experiments.codes[row]]) continue;
    const passes = asked.every((one) => {
      const own = one.codes[row];
      return own === one.code || own === one.lacking || (one.model && own === theory);
    });
    if (passes) rows.push(row);
  }
  return rows;
}

/** Whether a setting goes along with the abscissa, or is repeated: it makes no series of its own. */
function isBound(name, x, table) {
  const sizes = ["n", RATIO];
  return name === x || name === table.repeated || (sizes.includes(name) && sizes.includes(x));
}

/** A number of each row's combination of values, and how many there are. */
function groupRows(rows, columns) {
  let keys = new Float64Array(rows.length);
  let size = 1;
  let count = Math.min(rows.length, 1);
  for (const { codes, values } of columns) {
    if (size * values.length > Number.MAX_SAFE_INTEGER) [keys, size] = renumbered(keys);
    for (let i = 0; i < rows.length; i++) keys[i] = keys[i] * values.length + codes[rows[i]];
    size *= values.length;
  }
  [keys, count] = renumbered(keys);
  return { keys, count: rows.length ? count : 0 };
}

function renumbered(keys) {
  const places = new Map();
  const found = keys.map((key) => {
    let place = places.get(key);
    if (place === undefined) places.set(key, (place = places.size));
    return place;
  });
  return [found, Math.max(places.size, 1)];
}

/** The settings that tell series apart, for an abscissa. */
function seriesColumns(table, view) {
  // Over d, curves hold either N or N/d: the one that is not chosen goes along.
  const held = view.x === "d" && [view.colour, view.facet].includes("n") ? RATIO : "n";
  const along = view.x === "d" ? held : "";
  return varied(table).filter(
    (column) => !isBound(column.name, view.x, table) && column.name !== along);
}

/** The panels of a view, and what is not in them. */
function makePanels(table, view) {
  const metric = table.metric.get(view.metric);
  const x = table.setting.get(view.x);
  const isTheory = theoryTest(table);
  const every = metric && x ? selectedRows(table, view) : [];
  const shown = view.theory ? every : every.filter((row) => !isTheory(row));
  const known = shown.filter((row) => !Number.isNaN(metric.data[row]));
  const rows = known.filter((row) => x.values[x.codes[row]] !== null);
  const statistic = chosenStatistic(view.statistic, metric, rows);
  const points = statistic === "cells"
    ? [...summarised(table, view, rows.filter(isTheory), "mean"),
      ...singleCells(table, view, rows.filter((row) => !isTheory(row)))]
    : summarised(table, view, rows, statistic);
  const panels = splitPanels(table, view, points, isTheory);
  return {
    ...panels, statistic, cells: rows.length, selected: shown.length,
    without: { metric: shown.length - known.length, x: known.length - rows.length },
  };
}

function theoryTest(table) {
  const model = table.setting.get("model");
  const code = model.values.indexOf(table.theory);
  return (row) => model.codes[row] === code;
}

/** The geometric mean is for what is nowhere negative: of that it is the one to take. */
function chosenStatistic(asked, metric, rows) {
  if (asked !== "auto") return asked;
  return rows.every((row) => metric.data[row] >= 0) ? "geometric" : "mean";
}

/** A point for all rows that differ in their seed alone. */
function summarised(table, view, rows, statistic) {
  const metric = table.metric.get(view.metric);
  const apart = varied(table).filter((column) => column.name !== table.repeated);
  const { keys, count } = groupRows(rows, apart);
  const groups = Array.from({ length: count }, () => []);
  rows.forEach((row, i) => groups[keys[i]].push(row));
  return groups.map((own) => ({
    row: own[0], rows: own,
    ...STATISTICS[statistic].of(own.map((row) => metric.data[row]), table),
  })).filter((point) => !Number.isNaN(point.value));
}

/** A point that is one cell; of these there may be a hundred thousand. */
class SingleCell {
  constructor(row, value) {
    this.row = row;
    this.value = value;
  }

  get rows() {
    return [this.row];
  }
}
Object.assign(SingleCell.prototype, { low: NaN, high: NaN, count: 1 });

function singleCells(table, view, rows) {
  const { data } = table.metric.get(view.metric);
  return rows.map((row) => new SingleCell(row, data[row]));
}

/** Points by facet, then by series, ascending in the abscissa. */
function splitPanels(table, view, points, isTheory) {
  const facet = table.setting.get(view.facet);
  const x = table.setting.get(view.x);
  // Theory that lacks the setting of the panels, or is one of its values, is beside all others.
  const everywhere = (row) => facet && isTheory(row)
    && (view.facet === "model" || facet.values[facet.codes[row]] === null);
  const own = points.filter((point) => !everywhere(point.row));
  const codes = facet ? valuesOf(facet, own.map((point) => point.row)) : [null];
  const columns = seriesColumns(table, view);
  const panels = codes.slice(0, MOST_PANELS).map((code) => {
    const here = points.filter((point) => code === null || everywhere(point.row)
      || facet.codes[point.row] === code);
    return { title: code === null ? "" : settingText(facet, code), series: makeSeries(
      table, view, here, columns, isTheory) };
  });
  for (const one of panels.flatMap((panel) => panel.series)) {
    // What is drawn as dots needs no order.
    if (one.theory || one.points.length <= MANY) {
      one.points.sort((a, b) => x.codes[a.row] - x.codes[b.row]);
    }
  }
  return { panels, leftOut: Math.max(0, codes.length - MOST_PANELS) };
}

/** The series of one panel; of single cells one for each colour. */
function makeSeries(table, view, points, columns, isTheory) {
  const colour = table.setting.get(view.colour);
  const codeOf = (point) => (colour ? colour.codes[point.row] : 0);
  const isSingle = (point) => point instanceof SingleCell;
  const joined = points.some(isSingle) ? points.filter((point) => !isSingle(point)) : points;
  const { keys } = groupRows(joined.map((point) => point.row), columns);
  const found = new Map();
  const add = (key, point, theory) => {
    let series = found.get(key);
    if (!series) found.set(key, series = { theory, code: codeOf(point), points: [] });
    series.points.push(point);
  };
  joined.forEach((point, i) => add(keys[i], point, isTheory(point.row)));
  if (joined !== points) {
    for (const point of points) if (isSingle(point)) add(-1 - codeOf(point), point, false);
  }
  return [...found.values()];
}

/** A setting and a value of it, in words. */
function settingText(column, code) {
  return `${column.label} = ${valueText(column.values[code])}`;
}

function valueText(value) {
  if (value === null) return "none";
  return typeof value === "number" ? numberText(value) : String(value);
}

/** A number of at most seven digits. */
function numberText(value) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e7)
    ? Number(value.toPrecision(7)).toExponential() : String(Number(value.toPrecision(7)));
  return text.replace("e+", "e").replace("-", "−");
}
