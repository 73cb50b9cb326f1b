/** The chart: candles, the fan over the future, the ghost of a former one. Drawn by plotly. */
import { byId, moment, price } from "./format.js";
import { ticks } from "./scene.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./scene.js").Band} Band */
/** @typedef {import("./types.js").Candle} Candle */

const OPACITY = [0.3, 0.22, 0.17];
const GHOST_OPACITY = [0.16, 0.1, 0.08];
const RIGHT = 74;
const RIGHT_NARROW = 58;
const LEFT = 6;
const TOP = 8;
const BOTTOM = 38;
const DAY = 86_400_000;
/** How times are written on the axis, by the distance of its ticks in ms. */
const TICKS = [
  { dtickrange: [null, DAY - 1], value: "%H:%M\n%-d %b" },
  { dtickrange: [DAY, "M1"], value: "%-d %b" },
  { dtickrange: ["M1", null], value: "%b %Y" },
];
const place = byId("chart");
/** @type {Scene | null} */
let last = null;

/** Plotly's own element, which the gateway leaves out where it has none. */
const bundle = /** @type {HTMLScriptElement | null} */ (document.getElementById("plotly"));

/** Whether the gateway has plotly. */
export const installed = bundle !== null;

/**
 * Wait until plotly is there.
 * @returns {Promise<void>}
 */
export function loaded() {
  return new Promise((resolve) => {
    if (plotly()) resolve();
    else bundle?.addEventListener("load", () => resolve());
  });
}

/** Width of the area in which candles are drawn, in pixels. */
export function width() {
  return Math.max(120, place.clientWidth - LEFT - right());
}

/** Room for the prices. */
function right() {
  return place.clientWidth < 500 ? RIGHT_NARROW : RIGHT;
}

/**
 * The time at a place on the page; null outside of the chart.
 * @param {number} x
 */
export function timeAt(x) {
  if (!last) return null;
  const part = (x - place.getBoundingClientRect().left - LEFT) / width();
  return part < 0 || part > 1 ? null : last.from + part * (last.to - last.from);
}

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Draw a scene.
 * @param {Scene} scene
 * @param {number} step Length of a candle in ms.
 * @param {{text: string, warn: boolean} | null} label What must be said about the fan, in the chart.
 * @param {number | null} asOf Where the fan begins.
 */
export function draw(scene, step, label, asOf) {
  last = scene;
  const [ink, paper, accent] = ["--ink", "--paper", "--accent"].map(colour);
  const traces = [
    ...bands(scene.ghost, colour("--ghost-rgb"), GHOST_OPACITY),
    ...middle(scene.ghost, `rgba(${colour("--ghost-rgb")}, .8)`, "dot"),
    ...bands(scene.fan, colour("--accent-rgb"), OPACITY),
    ...middle(scene.fan, accent, "solid"),
    candles(scene.candles, step, ink, paper, 1),
    ...(scene.pending ? [candles([scene.pending], step, ink, paper, 0.55)] : []),
  ];
  plotly().react(place, traces, layout(scene, label, asOf), { staticPlot: true, responsive: false });
}

/** The chart has another size. */
export function resize() {
  if (last) plotly().Plots.resize(place);
}

/** @returns {any} plotly, which has no types here. */
function plotly() {
  return /** @type {any} */ (window).Plotly;
}

/** @param {Band | null} band @param {string} rgb @param {number[]} opacity */
function bands(band, rgb, opacity) {
  if (!band) return [];
  const times = [...band.times, ...[...band.times].reverse()];
  // The widest first, so that the narrower ones lie on it and are darker.
  return band.bands.map(([lower, upper], at) => ({
    type: "scatter", mode: "lines", x: times, y: [...upper, ...[...lower].reverse()], fill: "toself",
    fillcolor: `rgba(${rgb}, ${opacity[at]})`, line: { width: 0 }, hoverinfo: "skip",
  })).reverse();
}

/** @param {Band | null} band @param {string} stroke @param {string} dash */
function middle(band, stroke, dash) {
  if (!band) return [];
  const line = { color: stroke, width: 1.2, dash };
  return [{ type: "scatter", mode: "lines", x: band.times, y: band.mid, line, hoverinfo: "skip" }];
}

/** @param {Candle[]} list @param {number} step @param {string} ink @param {string} paper @param {number} opacity */
function candles(list, step, ink, paper, opacity) {
  const column = (/** @type {number} */ at) => list.map((candle) => candle[at]);
  return {
    type: "candlestick", zorder: 1, x: list.map((candle) => candle[0] + step / 2), opacity, hoverinfo: "skip",
    open: column(1), high: column(2), low: column(3), close: column(4), whiskerwidth: 0,
    increasing: { line: { color: ink, width: 1 }, fillcolor: paper },
    decreasing: { line: { color: ink, width: 1 }, fillcolor: ink },
  };
}

/** @param {Scene} scene @param {{text: string, warn: boolean} | null} label @param {number | null} asOf */
function layout(scene, label, asOf) {
  const [ink, soft, grid, paper, accent, warn] = ["--ink", "--soft", "--grid", "--paper", "--accent", "--warn"].map(colour);
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: soft };
  const axis = { gridcolor: grid, zeroline: false, fixedrange: true, tickfont: font, linecolor: grid };
  const height = place.clientHeight - TOP - BOTTOM;
  const [close, ...bounds] = tagged(scene, height);
  const levels = ticks(scene.low, scene.high, close === undefined ? [] : [close, ...bounds], height);
  const digits = decimals(levels);
  const shapes = asOf === null ? [] : [vertical(asOf, soft, 1, "dot")];
  const apart = (20 / width()) * (scene.to - scene.from);
  const legible = scene.ends.filter(({ at }, index) => !index || at - scene.ends[index - 1].at > apart);
  const notes = legible.map(({ name, at }, index) => ({
    x: at, xanchor: index === legible.length - 1 ? "right" : "center", yref: "paper", y: 0.02, yanchor: "bottom", text: name, showarrow: false, font: { ...font, color: accent },
  }));
  shapes.push(...scene.ends.map(({ at }) => vertical(at, accent, 0.02, "solid")));
  /** @param {number} y @param {string} ground */
  const tag = (y, ground) => notes.push(/** @type {any} */ ({
    xref: "paper", x: 1, xanchor: "left", y, text: price(y, close), showarrow: false, font: { ...font, color: paper }, bgcolor: ground,
    borderpad: 3,
  }));
  if (close !== undefined) tag(close, ink);
  for (const bound of bounds) tag(bound, accent);
  if (scene.ghost && scene.ghost.times[0] > scene.from) {
    notes.push(/** @type {any} */ ({
      x: scene.ghost.times[0], xanchor: "left", yref: "paper", y: 0.02, yanchor: "bottom", text: `forecast ${scene.ago} ago`,
      showarrow: false, font,
    }));
  }
  if (label) {
    const where = asOf === null || asOf < scene.from ? { xref: "paper", x: 1, xanchor: "right" } : { x: asOf, xanchor: width() < 500 ? "center" : "left" };
    notes.push(/** @type {any} */ ({
      ...where, yref: "paper", y: 1, yanchor: "top", text: label.text,
      showarrow: false, font: { ...font, color: label.warn ? warn : ink }, bgcolor: paper,
      bordercolor: label.warn ? warn : soft, borderpad: 4,
    }));
  }
  return {
    margin: { l: LEFT, r: right(), t: TOP, b: BOTTOM }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: false, font, shapes, annotations: notes, autosize: true,
    xaxis: {
      ...axis, type: "date", range: [scene.from, scene.to], rangeslider: { visible: false }, nticks: width() < 500 ? 4 : 8,
      showgrid: false, tickformatstops: TICKS,
    },
    yaxis: {
      ...axis, side: "right", range: [scene.low, scene.high], showline: false, tickvals: levels,
      ticktext: levels.map((level) => level.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })),
    },
  };
}

/**
 * Prices that have a tag on the axis: the last close, and where the fan ends unless that would cover it.
 * @param {Scene} scene
 * @param {number} height
 */
function tagged(scene, height) {
  const close = scene.candles.at(-1)?.[4];
  if (close === undefined) return [];
  const ends = scene.fan ? scene.fan.bands[scene.fan.bands.length - 1].map((side) => side[side.length - 1]) : [];
  return [close, ...ends.filter((end) => (Math.abs(end - close) / (scene.high - scene.low)) * height > 20)];
}

/** How many the labels of an axis need. @param {number[]} levels */
function decimals(levels) {
  const step = Math.min(...levels.slice(1).map((level, at) => level - levels[at]));
  return Number.isFinite(step) ? Math.min(10, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))) : 2;
}

/** A line from the time axis up. @param {number} at @param {string} color @param {number} y1 @param {string} dash */
function vertical(at, color, y1, dash) {
  return { type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1, line: { color, width: dash === "dot" ? 1 : 2, dash } };
}

/** A candle in words. @param {Candle} candle @param {number} step */
export function words(candle, step) {
  const [open, , , , close] = candle;
  if (!candle[5] && candle.length > 5) return `${moment(open + step - 1)}  closed at ${price(close)}`;
  const [, o, h, l] = candle.map((value) => price(value, close));
  return `${moment(open + step - 1)}  open ${o}  high ${h}  low ${l}  close ${price(close)}`;
}
