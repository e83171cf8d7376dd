"use strict";
// Where values stand on an axis, and its ticks. A setting's values that an axis has no place for
// (0 and infinity on a logarithmic one, words on any) get a place and a tick of their own.

/** Places of the values of the abscissa: numbers on the axis, by code. */
function abscissa(column, codes, log) {
  const words = codes.some((code) => typeof column.values[code] !== "number");
  if (words) {
    const places = new Map(codes.map((code, i) => [code, i]));
    const own = codes.map((code, i) => [i, valueText(column.values[code])]);
    return { places, own, log: false, words, low: -0.5, high: Math.max(codes.length, 1) - 0.5 };
  }
  const values = codes.map((code) => column.values[code]);
  const ordinary = values.filter((one) => Number.isFinite(one) && (one > 0 || !log));
  const used = log && ordinary.length > 0;
  const [low, high] = margins(ordinary.length ? ordinary : [1], used, 0.05);
  const step = used ? (high / low) ** 0.06 : 0.06 * (high - low);
  const beside = (end, sign) => (used ? end * step ** sign : end + sign * step);
  const place = (one) => {
    if (one === Infinity) return beside(high, 1);
    return one === -Infinity || (used && one <= 0) ? beside(low, -1) : one;
  };
  const extra = codes.filter((code) => place(column.values[code]) !== column.values[code]);
  const ends = extra.map((code) => place(column.values[code]));
  return {
    places: new Map(codes.map((code) => [code, place(column.values[code])])),
    own: extra.map((code) => [place(column.values[code]), valueText(column.values[code])]),
    log: used, words,
    low: ends.includes(beside(low, -1)) ? beside(low, -2) : low,
    high: ends.includes(beside(high, 1)) ? beside(high, 2) : high,
  };
}

/** The ordinate of some points: finite values with a margin. */
function ordinate(points, log) {
  const values = [];
  const take = (one) => {
    if (Number.isFinite(one) && (one > 0 || !log)) values.push(one);
  };
  for (const { value, low, high } of points) {
    take(value);
    take(low);
    take(high);
  }
  const used = log && values.length > 0;
  const [low, high] = margins(values.length ? values : [0, 1], used, 0.06);
  return { low, high, log: used, own: [] };
}

/** The ends of some values, a share further out. */
function margins(values, log, share) {
  let [low, high] = [Infinity, -Infinity];
  for (const one of values) [low, high] = [Math.min(low, one), Math.max(high, one)];
  if (log) {
    const factor = low === high ? 2 : (high / low) ** share;
    return [low / factor, high * factor];
  }
  const margin = low === high ? Math.abs(low) * 0.1 || 0.5 : share * (high - low);
  return [low - margin, high + margin];
}

/** Ticks between two ends: places and texts; those that are an axis's own come first. */
function ticks(axis, low, high, most) {
  const own = axis.own.filter(([place]) => place >= low && place <= high);
  if (axis.words) return own.filter((_, i) => i % Math.ceil(own.length / most) === 0);
  const taken = own.map(([place]) => place);
  const inside = ([place]) => !taken.includes(place);
  const usual = axis.log ? logTicks(low, high, most) : linearTicks(low, high, most);
  return [...own, ...usual.map((place) => [place, tickText(place)]).filter(inside)]
    .sort((a, b) => a[0] - b[0]);
}

function linearTicks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? 10 * power;
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

function logTicks(low, high, most) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const skip = Math.max(1, Math.ceil((last - first + 1) / most));
  if (last - first >= 2) {
    const count = Math.floor((last - first) / skip) + 1;
    return Array.from({ length: count }, (_, i) => power10(first + i * skip));
  }
  const found = [];
  for (let exponent = first - 1; exponent <= last; exponent++) {
    for (const digit of [1, 2, 5]) found.push(Number((digit * power10(exponent)).toPrecision(3)));
  }
  const inside = found.filter((one) => one >= low && one <= high);
  return inside.length >= 2 ? inside : linearTicks(low, high, most);
}

function power10(exponent) {
  return Number(`1e${exponent}`);
}

/** A tick's text: plain in the middle range, else with a power of ten. */
function tickText(value) {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e5)) return numberText(value);
  const [mantissa, exponent] = value.toExponential().split("e");
  const raised = Array.from(String(Number(exponent)), (one) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[one] ?? "⁻").join("");
  const factor = { 1: "", "-1": "−" }[mantissa] ?? `${numberText(Number(mantissa))}×`;
  return `${factor}10${raised}`;
}
