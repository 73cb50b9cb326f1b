/** How numbers and times are written. */

/** From which size on how many decimals, as on the command line. */
const DECIMALS = [[1e5, 0], [1e4, 1], [1e2, 2], [1e1, 3], [1, 4], [1e-1, 5], [1e-2, 6], [1e-3, 7]];

/**
 * A price with as many digits as are worth reading, those of `like` if they are to stand together.
 * @param {number | null} value
 * @param {number | null} [like]
 */
export function price(value, like = value) {
  if (value === null || like === null) return "–";
  const size = Math.abs(like);
  const found = DECIMALS.find(([least]) => size >= least);
  const digits = found ? found[1] : 8;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * A share as a percentage with one decimal.
 * @param {number} share
 */
export function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

const MOMENT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});

/**
 * A time in UTC to the minute; a candle that closes at 10:59:59.999 closes at 11:00.
 * @param {number} ms
 */
export function moment(ms) {
  return MOMENT.format(new Date(ms + 1)).replace(",", "");
}

/**
 * An element with a class and text.
 * @param {string} tag
 * @param {string} [name]
 * @param {string} [text]
 */
export function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

/**
 * An element of the page that is always there.
 * @param {string} id
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
export function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}
