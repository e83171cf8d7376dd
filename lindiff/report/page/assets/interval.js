"use strict";
// Centres and intervals over seeds, by the formulas of lindiff/drawing/intervals.py; a test holds
// both to the same numbers. Quantiles by the number of values come with the table.

/** Mean with Student's t-interval; `t[n]` is the quantile of n values. */
function meanInterval(x, t) {
  const count = x.length;
  const value = total(x) / count;
  if (count === 1 || !Number.isFinite(value)) return { value, low: NaN, high: NaN, count };
  let squares = 0;
  for (const one of x) squares += (one - value) ** 2;
  const half = (t[count] * Math.sqrt(squares / (count - 1))) / Math.sqrt(count);
  return { value, low: value - half, high: value + half, count };
}

/** Geometric mean with Student's t-interval on logarithms; nan where a value is negative. */
function geometricMeanInterval(x, t) {
  const count = x.length;
  const none = { low: NaN, high: NaN, count };
  if (x.some((one) => one < 0)) return { value: NaN, ...none };
  if (x.includes(Infinity)) return { value: Infinity, ...none };
  if (x.includes(0)) return { value: 0, ...none };
  const log = meanInterval(x.map(Math.log), t);
  return { value: Math.exp(log.value), low: Math.exp(log.low), high: Math.exp(log.high), count };
}

/** Median with its interval from order statistics; `medians[n]` is [k, weight] of n values. */
function medianInterval(x, medians) {
  const sorted = x.slice().sort((a, b) => a - b);
  const count = sorted.length;
  const half = count / 2;
  const value = between(sorted[Math.ceil(half) - 1], sorted[Math.floor(half)], 0.5);
  if (count === 1) return { value: sorted[0], low: NaN, high: NaN, count };
  const [k, weight] = medians[count];
  const low = between(sorted[k - 1], sorted[Math.min(k, count - 1)], weight);
  const high = between(sorted[count - k], sorted[Math.max(count - k - 1, 0)], weight);
  return { value, low, high, count };
}

/** The point that splits outer to inner by a weight; an infinite outer end stays infinite. */
function between(outer, inner, weight) {
  if (weight === 0 || outer === inner) return outer;
  return (1 - weight) * outer + weight * inner;
}

function total(x) {
  let sum = 0;
  for (const one of x) sum += one;
  return sum;
}

/** The statistics by the name that a user chooses. */
const STATISTICS = {
  geometric: { label: "geometric mean", of: (x, table) => geometricMeanInterval(x, table.t) },
  mean: { label: "mean", of: (x, table) => meanInterval(x, table.t) },
  median: { label: "median", of: (x, table) => medianInterval(x, table.medians) },
  cells: { label: "every cell", of: null },
};
