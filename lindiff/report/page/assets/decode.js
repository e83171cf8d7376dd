"use strict";
// The table of a page: what lindiff/report/page/table.py wrote, as typed arrays. Tables of several
// pages become one, with the name of the config as one more setting.

const TABLE_ID = "lindiff-table";
const ARRAYS = {
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array,
  float32: Float32Array, float64: Float64Array,
};

/** The table of a document: of this page, or of another one that was read as text. */
async function readTable(page) {
  const element = page.getElementById(TABLE_ID);
  if (element === null) throw new Error("it is no page of lindiff: it has no table");
  const found = JSON.parse(element.textContent);
  const buffer = await unpack(found.blob);
  delete found.blob;
  const open = (place) => new ARRAYS[place.type](buffer, place.at, place.length);
  for (const setting of found.settings) {
    setting.values = setting.values.map((value) => typedValue(value, setting.numeric));
    setting.codes = setting.codes === null ? new Uint8Array(found.rows) : open(setting.codes);
  }
  for (const metric of found.metrics) metric.data = open(metric.data);
  found.experiments.codes = open(found.experiments.codes);
  const { config, folder, rows } = found;
  found.sources = [{ config, folder, start: 0, rows, ids: open(found.ids), width: found.ids.width }];
  return indexed(found);
}

/** The bytes of a gzip stream in base64. */
async function unpack(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

function typedValue(value, numeric) {
  return value === null || !numeric ? value : Number(value);
}

/** The table with its columns by name. */
function indexed(table) {
  table.setting = new Map(table.settings.map((column) => [column.name, column]));
  table.metric = new Map(table.metrics.map((column) => [column.name, column]));
  return table;
}

/** Settings with more than one value. */
function varied(table) {
  return table.settings.filter((column) => column.values.length > 1);
}

/** The id of a row, as `lindiff cells` takes it, and the page that it came from. */
function rowOrigin(table, row) {
  const source = table.sources.find((one) => row >= one.start && row < one.start + one.rows);
  const first = (row - source.start) * source.width;
  const bytes = source.ids.subarray(first, first + source.width);
  const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, config: source.config, folder: source.folder };
}

/** One table of two: settings that one lacks are null there, metrics nan. */
function combined(first, second) {
  const rows = first.rows + second.rows;
  const name = freeName(second.config, first.sources.map((source) => source.config));
  const settings = names(first.settings, second.settings)
    .filter((setting) => setting !== "config")
    .map((setting) => joinedSetting(first, second, setting));
  settings.unshift(configSetting(first, second, name));
  const metrics = names(first.metrics, second.metrics)
    .map((metric) => joinedMetric(first, second, metric));
  const longer = (key) => (first[key].length >= second[key].length ? first[key] : second[key]);
  return indexed({
    ...first, rows, settings, metrics,
    total: first.total + second.total,
    failed: first.failed + second.failed,
    notes: [...first.notes, ...second.notes.map((note) => `${note} (${name})`)],
    t: longer("t"),
    medians: longer("medians"),
    experiments: joinedExperiments(first, second),
    sources: [
      ...first.sources,
      { ...second.sources[0], config: name, start: first.rows },
    ],
  });
}

function freeName(name, taken) {
  let free = name;
  for (let i = 2; taken.includes(free); i++) free = `${name} (${i})`;
  return free;
}

function names(first, second) {
  return [...new Set([...first, ...second].map((column) => column.name))];
}

function configSetting(first, second, name) {
  const values = [...first.sources.map((source) => source.config), name];
  const codes = new Uint32Array(first.rows + second.rows).fill(values.length - 1);
  first.sources.forEach((source, i) => codes.fill(i, source.start, source.start + source.rows));
  return {
    name: "config", label: "config", help: "The config that asks for the cell.",
    numeric: false, values, neutral: null, codes,
  };
}

/** A setting of both tables, its values sorted, null last. */
function joinedSetting(first, second, name) {
  const nothing = (table) => ({ values: [null], codes: new Uint8Array(table.rows) });
  const known = first.setting.get(name) ?? second.setting.get(name);
  const [left, right] = [first, second].map((table) => table.setting.get(name) ?? nothing(table));
  const values = [...new Set([...left.values, ...right.values])].sort(compareValues);
  const codes = new Uint32Array(first.rows + second.rows);
  for (const [column, start] of [[left, 0], [right, first.rows]]) {
    const places = column.values.map((value) => values.indexOf(value));
    column.codes.forEach((code, row) => { codes[start + row] = places[code]; });
  }
  const neutral = known.neutral === null ? null : values.indexOf(known.values[known.neutral]);
  return { ...known, values, codes, neutral };
}

function compareValues(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return a < b ? -1 : a > b ? 1 : 0;
}

function joinedMetric(first, second, name) {
  const data = new Float64Array(first.rows + second.rows).fill(NaN);
  const [left, right] = [first.metric.get(name), second.metric.get(name)];
  if (left) data.set(left.data, 0);
  if (right) data.set(right.data, first.rows);
  return { ...(left ?? right), data };
}

function joinedExperiments(first, second) {
  const [left, right] = [first.experiments, second.experiments];
  const codes = new Uint32Array(first.rows + second.rows);
  codes.set(left.codes, 0);
  right.codes.forEach((code, row) => { codes[first.rows + row] = left.values.length + code; });
  return { values: [...left.values, ...right.values], codes };
}
