"use strict";
// What a user takes along: the view as SVG, PNG and CSV.

const PANEL = { width: 380, height: 300, left: 70, right: 14, top: 26, bottom: 48 };

/** The charts of a view, with their zoom, as one SVG. */
function svgOf(charts, layout, table, view, title) {
  const columns = charts.length === 1 ? 1 : Math.min(3, charts.length);
  const scale = charts.length === 1 ? 1.6 : 1;
  const size = { ...PANEL, width: PANEL.width * scale, height: PANEL.height * scale };
  const entries = legendEntries(layout, table, view, charts);
  const width = columns * size.width;
  const perRow = Math.max(1, Math.floor(width / 220));
  const head = 30;
  const body = Math.ceil(charts.length / columns) * size.height;
  const height = head + body + 20 * Math.ceil(entries.length / perRow) + 12;
  const pen = new SvgPen();
  pen.text(title, [width / 2, 20], { weight: "bold" });
  charts.forEach((chart, i) => svgPanel(
    pen, chart, size, (i % columns) * size.width, head + Math.floor(i / columns) * size.height, i));
  entries.forEach((entry, i) => {
    const at = [(i % perRow) * 220 + 20, head + body + 14 + 20 * Math.floor(i / perRow)];
    if (entry.line) pen.line([[at[0] - 8, at[1]], [at[0] + 8, at[1]]], entry.colour, 1.6);
    else pen.marker(entry.marker, at, entry.colour, 4, false);
    pen.text(entry.text, [at[0] + 14, at[1] + 4], { anchor: "start" });
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" `
    + `viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" fill="#000">`
    + `<rect width="100%" height="100%" fill="#fff"/>${pen.parts.join("\n")}</svg>\n`;
}

function svgPanel(pen, chart, size, left, top, number) {
  const { layout, panel, plot } = chart;
  const box = {
    left: left + size.left, right: left + size.width - size.right,
    top: top + size.top, bottom: top + size.height - size.bottom,
  };
  const ends = (axis) => [plot.scales[axis].min, plot.scales[axis].max];
  const toX = linearMap(...ends("x"), box.left, box.right, layout.x.log);
  const toY = linearMap(...ends("y"), box.bottom, box.top, layout.y.log);
  const sides = [[box.left, box.top], [box.right, box.top], [box.right, box.bottom],
    [box.left, box.bottom], [box.left, box.top]];
  for (const [at, text] of ticks(layout.x, ...ends("x"), TICKS.x)) {
    pen.line([[toX(at), box.bottom], [toX(at), box.bottom - 5]], GREY, 1);
    pen.text(text, [toX(at), box.bottom + 15], { size: 11 });
  }
  for (const [at, text] of ticks(layout.y, ...ends("y"), TICKS.y)) {
    pen.line([[box.left, toY(at)], [box.left + 5, toY(at)]], GREY, 1);
    pen.text(text, [box.left - 5, toY(at) + 4], { anchor: "end", size: 11 });
  }
  pen.text(layout.xLabel, [(box.left + box.right) / 2, box.bottom + 36]);
  pen.text(layout.yLabel, [left + 14, (box.top + box.bottom) / 2], { turn: -90 });
  if (panel.title) pen.text(panel.title, [box.left, box.top - 8], { anchor: "start" });
  const id = `panel-${number}`;
  pen.parts.push(`<clipPath id="${id}"><rect x="${box.left}" y="${box.top}" `
    + `width="${box.right - box.left}" height="${box.bottom - box.top}"/></clipPath>`);
  pen.parts.push(`<g clip-path="url(#${id})">`);
  paintPanel(pen, panel, makeFrame(layout, toX, toY, box.top, box.bottom), layout.looks);
  pen.parts.push("</g>");
  pen.line(sides, BLACK, 1);
}

/** From values to pixels; what a logarithm has no place for is far below. */
function linearMap(low, high, from, to, log) {
  const scale = log ? Math.log : (value) => value;
  return (value) => (log && !(value > 0) ? from + 9999 * Math.sign(from - to)
    : from + ((scale(value) - scale(low)) / (scale(high) - scale(low))) * (to - from));
}

/** The legend: a value of the colour's setting each, as points, as a line or both. */
function legendEntries(layout, table, view, charts) {
  const seen = new Set(charts.flatMap((chart) => chart.panel.series.map(
    (series) => `${series.theory} ${series.code}`)));
  const entries = [];
  for (const code of layout.codes) {
    const { colour, marker } = layout.looks.get(code);
    const value = layout.colour ? settingText(layout.colour, code) : "";
    if (seen.has(`false ${code}`)) entries.push({ colour, marker, text: value || "cells" });
    if (seen.has(`true ${code}`)) {
      entries.push({ colour, line: true, text: value ? `theory, ${value}` : "theory" });
    }
  }
  return entries;
}

/** The SVG as a PNG of twice its size. */
async function pngOf(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) => {
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("too large a picture"))));
  });
}

/** What is drawn as CSV: settings that tell points apart, value, interval, number of cells. */
function csvOf(charts, table, view) {
  const columns = varied(table).filter((column) => view.statistic === "cells"
    || column.name !== table.repeated);
  const head = [...columns.map((column) => column.name), "metric", "value", "low", "high", "cells"];
  const lines = [head];
  const seen = new Set();
  for (const { panel } of charts) {
    for (const { row, value, low, high, count } of panel.series.flatMap((one) => one.points)) {
      if (seen.has(row)) continue;
      seen.add(row);
      const settings = columns.map((column) => column.values[column.codes[row]]);
      lines.push([...settings, view.metric, value, low, high, count]);
    }
  }
  return lines.map((line) => line.map(csvField).join(",")).join("\n") + "\n";
}

function csvField(value) {
  if (value === null || Number.isNaN(value)) return "";
  if (typeof value === "number" && !Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Hand a file to the browser's downloads. */
function download(content, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Copy a text; where the browser has no clipboard for pages from disk, by a selection. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("this browser does not let a page copy");
  }
}
