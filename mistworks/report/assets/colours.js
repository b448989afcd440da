"use strict";
// Colours of maps, and of the words on them. Nothing here needs a page.
const SCALES = {
  light: [[0, "#f3f6f4"], [0.25, "#c9dfdd"], [0.5, "#86b4c4"], [0.75, "#3f7ba6"], [1, "#123c69"]],
  dark: [[0, "#20262c"], [0.25, "#1f4a5c"], [0.5, "#2f7f8f"], [0.75, "#7fbf9f"], [1, "#f5e9a6"]],
};

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Red, green and blue, 0 to 255, at a share of a scale, as Plotly blends them. */
function colourAt(scale, share) {
  const upper = Math.max(scale.findIndex(([stop]) => share <= stop), 1);
  const [[from, below], [to, above]] = [scale[upper - 1], scale[upper]];
  const part = (share - from) / (to - from), high = channels(above);
  return channels(below).map((value, channel) => value + part * (high[channel] - value));
}

/** Relative luminance of WCAG 2, 0 to 1. */
function luminance(colour) {
  const linear = colour.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

/** Black or white, whichever stands out more: by a contrast of 4.5 at least, on any colour. */
const legibleOn = (colour) => ((luminance(colour) + 0.05) ** 2 > 1.05 * 0.05 ? "#000000" : "#ffffff");

/** A heat map whose words Plotly does not colour, and these words, each in a colour that is legible on its cell. */
function heatWithWords(heat, scale) {
  const values = heat.z.flat().filter((value) => value !== null);
  let zmin = Math.min(...values), zmax = Math.max(...values);
  if (!(zmin < zmax)) [zmin, zmax] = [zmin - 0.5, zmax + 0.5];
  const cells = heat.z.flatMap((line, row) => line.map((value, column) => ({ value, row, column }))).filter(({ value }) => value !== null);
  const words = {
    type: "scatter", mode: "text", hoverinfo: "skip", showlegend: false, meta: heat.meta,
    x: cells.map(({ column }) => heat.x[column]), y: cells.map(({ row }) => heat.y[row]),
    text: cells.map(({ row, column }) => heat.text[row][column]),
    textfont: { size: 12, color: cells.map(({ value }) => legibleOn(colourAt(scale, (value - zmin) / (zmax - zmin)))) },
  };
  const { texttemplate, ...bare } = heat;
  return [{ ...bare, colorscale: scale, zmin, zmax }, words];
}
