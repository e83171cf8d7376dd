"use strict";
// What the explorer says of a view: what is drawn, and what is not.

/** The account of a view, in sentences. */
function accountOf(table, view, made, layout) {
  const words = [`${cells(made.cells)} drawn.`, ...statisticWords(table, made)];
  const others = otherSettings(table, view, made);
  if (others.length) words.push(`Points of one look differ in: ${others.join(", ")}.`);
  if (made.without.metric) words.push(`${cells(made.without.metric)} without ${view.metric}.`);
  if (made.without.x) words.push(`${cells(made.without.x)} without ${view.x}.`);
  if (made.leftOut) words.push(`${made.leftOut} more panels are not shown: set filters.`);
  if (atEdge(made, layout)) {
    words.push("At the upper edge: infinite; at the lower edge: not above 0.");
  }
  return words.join(" ");
}

/** What points and bands are. */
function statisticWords(table, made) {
  const { low, high } = cellsOfPoints(made);
  if (high === 0) return [];
  if (made.statistic === "cells" || high === 1) return ["A point is a cell."];
  const count = low === high ? low : `${low} to ${high}`;
  return [`Points: ${STATISTICS[made.statistic].label} over seeds; bands: `
    + `${(100 * table.level).toFixed(0)} % interval over ${count} cells a point.`];
}

/** The fewest and the most cells of a measured point; 0 where there is none. */
function cellsOfPoints(made) {
  let [low, high] = [Infinity, 0];
  for (const series of made.panels.flatMap((panel) => panel.series)) {
    for (const { count } of series.theory ? [] : series.points) {
      [low, high] = [Math.min(low, count), Math.max(high, count)];
    }
  }
  return { low, high };
}

/** Settings that differ among points of one panel and look, beside the abscissa. */
function otherSettings(table, view, made) {
  const found = new Set();
  for (const { series } of made.panels) {
    const looks = new Map();
    for (const { theory, code, points } of series) {
      const rows = looks.get(`${theory} ${code}`) ?? [];
      for (const point of points) rows.push(point.row);
      looks.set(`${theory} ${code}`, rows);
    }
    for (const rows of looks.values()) {
      for (const column of variedAmong(table, rows)) found.add(column);
    }
  }
  return seriesColumns(table, view).filter((column) => found.has(column))
    .map((column) => column.name);
}

function atEdge(made, layout) {
  return made.panels.some(({ series }) => series.some(({ points }) => points.some(
    ({ value }) => !Number.isFinite(value) || (layout.y.log && value <= 0))));
}

function cells(count) {
  return `${count.toLocaleString("en")} cell${count === 1 ? "" : "s"}`;
}
