"use strict";
// What axes say: names in lines that fit, and as many numbers as there is room for. Nothing here needs a page.
const LETTER = 6.4;
const NUMBER = 44;

/** A text in lines of at most so many letters, as Plotly reads it. What is left after the last line is cut. */
function inLines(text, letters, count) {
  const lines = [""];
  for (const part of text.match(/\+?[^\s/+-]*[\s/-]*/g).filter(Boolean)) {
    const line = lines.at(-1) + part;
    if (line.trimEnd().length <= letters || !lines.at(-1)) lines[lines.length - 1] = line;
    else lines.push(part);
  }
  const cut = (line, force) => (force || line.length > letters ? `${line.slice(0, letters - 1)}…` : line);
  return lines.slice(0, count).map((line, place) => cut(line.trim(), place === count - 1 && lines.length > count))
    .map((line) => line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")).join("<br>");
}

/** Numbers to write along a logarithmic axis, whole ones at most `room` times; Plotly writes bare digits between powers of ten. */
function logTicks(values, room) {
  const positive = values.filter((value) => value > 0);
  if (!positive.length) return {};
  const low = Math.min(...positive), high = Math.max(...positive), decades = Math.log10(high / low);
  if (decades < 0.15) return { type: "linear", nticks: Math.min(4, room) };
  const steps = decades > 4 ? [[1]] : [[1, 3], [1]];
  if (decades <= 1.2) steps.unshift([1, 2, 5]);
  if (decades <= 0.5) steps.unshift([1, 1.5, 2, 3, 4, 5, 6, 8]);
  const first = Math.floor(Math.log10(low)) - 1, last = Math.ceil(Math.log10(high)) + 1;
  const along = (step, every) => {
    const ticks = [];
    for (let power = first; power <= last; power++) {
      if (power % every === 0) ticks.push(...step.map((digit) => Number((digit * 10 ** power).toPrecision(3))));
    }
    return ticks;
  };
  const written = (ticks) => ticks.filter((tick) => tick >= low / 1.1 && tick <= high * 1.1).length;
  const choices = [...steps.map((step) => along(step, 1)), along([1], 2), along([1], 3)];
  const fitting = choices.filter((ticks) => written(ticks) <= room);
  const ticks = fitting.find((one) => written(one) > 1) || fitting[0] || choices.at(-1);
  const power = (value) => `10<sup>${String(Math.round(Math.log10(value))).replace("-", "−")}</sup>`;
  const plain = (value) => (value >= 1e-4 && value < 1e6 ? value.toLocaleString("en", { maximumSignificantDigits: 3 }) : value.toExponential(0));
  return { tickvals: ticks, ticktext: ticks.map(decades > 4 ? power : plain) };
}
