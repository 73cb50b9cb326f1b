/** The list of series: thousands of rows are known, some hundred are drawn. */
import { byId, element, percent, price, svg } from "./format.js";

/** @typedef {import("./types.js").Row} Row */

const AT_ONCE = 200;
const SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Marks beside the coverage, which do not rest on colour. @type {Record<string, [string, string]>} */
const MARKS = {
  held: ["✓", "the intervals hold what they say"],
  low: ["▼", "the intervals hold less than they say"],
  high: ["▲", "the intervals are wider than they need be"],
  few: ["…", "too few scores to judge by"],
  unknown: ["", ""],
};

/** @type {Map<string, Row>} */
const rows = new Map();
/** @type {Map<string, {row: Row, line: HTMLElement}>} */
const drawn = new Map();
let chosen = "";
let shown = AT_ONCE;
let due = false;
/** @type {(key: string) => void} */
let onChosen = () => {};

const search = /** @type {HTMLInputElement} */ (byId("search"));
const place = byId("rows");

/**
 * Begin; `chose` is told the key of the row that somebody picks.
 * @param {(key: string) => void} chose
 */
export function start(chose) {
  onChosen = chose;
  search.addEventListener("input", () => {
    shown = AT_ONCE;
    draw();
  });
  search.addEventListener("keydown", (event) => {
    const first = place.querySelector("button");
    if ((event.key === "ArrowDown" || event.key === "Enter") && first) {
      event.preventDefault();
      event.key === "Enter" ? first.click() : first.focus();
    }
  });
  place.addEventListener("keydown", move);
  byId("more").addEventListener("click", () => {
    shown += AT_ONCE;
    draw();
  });
}

/** @param {KeyboardEvent} event */
function move(event) {
  const line = document.activeElement?.closest("li");
  if (!line || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const next = event.key === "ArrowDown" ? line.nextElementSibling : line.previousElementSibling;
  event.preventDefault();
  (next ? next.querySelector("button") : event.key === "ArrowUp" ? search : null)?.focus();
}

/**
 * Rows as they are now; with `whole` there are no others.
 * @param {Row[]} told
 * @param {boolean} whole
 */
export function take(told, whole) {
  if (whole) rows.clear();
  for (const row of told) rows.set(row[0], row);
  if (!due) {
    due = true;
    requestAnimationFrame(draw);
  }
}

/** The key of the first series; undefined if there is none. */
export function first() {
  return [...rows.keys()].sort(inOrder)[0];
}

/** @param {string} key */
export function has(key) {
  return rows.has(key);
}

/** @param {string} key */
export function choose(key) {
  chosen = key;
  draw();
}

/** By symbol. @param {string} a @param {string} b */
function inOrder(a, b) {
  const [left, right] = [symbolOf(a), symbolOf(b)];
  return left < right ? -1 : left > right ? 1 : a < b ? -1 : 1;
}

/** @param {string} key */
function symbolOf(key) {
  return key.slice(key.indexOf(":") + 1, key.lastIndexOf(":"));
}

/** Draw what has changed of the rows that are searched for. */
function draw() {
  due = false;
  const wanted = search.value.trim().toLowerCase();
  const keys = [...rows.keys()].filter((key) => key.toLowerCase().includes(wanted)).sort(inOrder);
  const visible = keys.slice(0, shown);
  byId("found").textContent = wanted ? `${keys.length} of ${rows.size} series` : `${rows.size} series`;
  byId("marks").hidden = !visible.some((key) => rows.get(key)?.[5] !== null);
  byId("more").hidden = keys.length <= visible.length;
  if (visible.length && !drawn.size) performance.mark("listed");
  const gone = new Set(drawn.keys());
  let before = /** @type {Element | null} */ (null);
  for (const key of visible) {
    gone.delete(key);
    const line = lineOf(key);
    const at = before ? before.nextElementSibling : place.firstElementChild;
    if (at !== line) place.insertBefore(line, at);
    before = line;
  }
  for (const key of gone) {
    drawn.get(key)?.line.remove();
    drawn.delete(key);
  }
}

/** @param {string} key */
function lineOf(key) {
  const row = /** @type {Row} */ (rows.get(key));
  let known = drawn.get(key);
  if (!known) {
    const line = element("li");
    const button = element("button");
    button.setAttribute("type", "button");
    button.addEventListener("click", () => onChosen(key));
    line.append(button);
    known = { row: /** @type {any} */ (null), line };
    drawn.set(key, known);
  }
  const button = /** @type {HTMLElement} */ (known.line.firstElementChild);
  if (known.row !== row) {
    known.row = row;
    fill(button, row);
  }
  button.setAttribute("aria-current", String(key === chosen));
  return known.line;
}

/** @param {HTMLElement} button @param {Row} row */
function fill(button, [key, close, , , text, coverage, count, mark, spark]) {
  const symbol = element("span", "symbol", symbolOf(key));
  symbol.append(element("small", "", key.slice(key.lastIndexOf(":") + 1)));
  const top = element("span", "top");
  top.append(symbol, element("span", "close", price(close)));
  const [sign, meaning] = MARKS[mark] ?? ["", ""];
  const cover = element("span", "cover", coverage === null ? "" : `${percent(coverage)} ${sign}`);
  cover.title = coverage === null ? "" : `${count} scores at the shortest horizon: ${meaning}`;
  const say = element("span", "say");
  say.append(line(spark), element("span", "text", text), cover);
  button.replaceChildren(top, say);
}

/** A spark line of heights from 0 to z. @param {string} heights */
function line(heights) {
  const drawing = svg("svg", { viewBox: "0 0 64 18", "aria-hidden": "true" });
  const points = [...heights].map((sign, at) => {
    const x = heights.length > 1 ? (at / (heights.length - 1)) * 62 + 1 : 32;
    return `${x.toFixed(1)},${(16.5 - (SIGNS.indexOf(sign) / (SIGNS.length - 1)) * 15).toFixed(1)}`;
  });
  drawing.append(svg("polyline", { points: points.join(" ") }));
  return drawing;
}
