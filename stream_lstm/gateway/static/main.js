/** The page: follows the gateway's stream and has each part draw what it is told. */
import * as actions from "./actions.js";
import * as card from "./card.js";
import * as chart from "./chart.js";
import { byId, element, moment, percent, price } from "./format.js";
import * as list from "./list.js";
import { scene, usual } from "./scene.js";

/** @typedef {import("./types.js").Candle} Candle */
/** @typedef {import("./types.js").Detail} Detail */
/** @typedef {import("./types.js").Fan} Fan */
/** @typedef {import("./types.js").Status} Status */

const MOST = 400;
const AGAIN_MS = 1_500;
/** What the chart says of a fan, by the state of its series; others say their state. @type {Record<string, string>} */
const LABELS = { fresh: "forecast", hybrid: "hybrid: no trained model", stale: "stale model" };

let chosen = decodeURIComponent(location.hash.slice(1));
/** @type {Detail | null} */
let detail = null;
/** @type {Candle[]} */
let candles = [];
/** @type {Fan | null} */
let past = null;
/** @type {Set<string> | null} What was chosen of the horizons; null for the usual. */
let horizons = null;
/** @type {Status | null} */
let status = null;
/** @type {EventSource | null} */
let source = null;
let lost = "";
let ready = false;
let due = false;

/** Follow the stream, with the details of the series that is chosen. */
function connect() {
  source?.close();
  const now = new EventSource(`/api/dashboard/stream${chosen ? `?series=${encodeURIComponent(chosen)}` : ""}`);
  source = now;
  /** @param {string} name @param {(data: any) => void} take */
  const on = (name, take) => now.addEventListener(name, (event) => now === source && take(JSON.parse(event.data)));
  on("status", (told) => {
    status = told;
    lost = "";
    sayStatus();
  });
  on("list", (told) => {
    list.take(told.rows, true);
    if (chosen && !list.has(chosen)) choose(list.first());
    redraw();
  });
  on("rows", (told) => list.take(told.rows, false));
  on("series", take);
  on("log", (told) => card.log(told.events, told.whole));
  now.addEventListener("error", () => {
    if (now !== source) return;
    if (!lost) lost = new Date().toLocaleTimeString("en-GB");
    sayStatus();
    // A gateway that answers with an error ends the stream for good; one that is away does not.
    if (now.readyState === EventSource.CLOSED) setTimeout(() => now === source && connect(), AGAIN_MS);
  });
}

/** Look at another series. @param {string | undefined} key */
function choose(key) {
  if (!key || (key === chosen && detail)) return;
  chosen = key;
  detail = past = null;
  candles = [];
  history.replaceState(null, "", `#${encodeURIComponent(key)}`);
  list.choose(key);
  byId("answer").textContent = "";
  openList(false);
  connect();
}

/** @param {Detail} told */
function take(told) {
  if (!chosen) {
    // Nobody has chosen: the gateway begins with the first of the list.
    chosen = told.key;
    history.replaceState(null, "", `#${encodeURIComponent(chosen)}`);
  }
  if (told.key !== chosen) return;
  const known = new Map(told.whole ? [] : candles.map((candle) => [candle[0], candle]));
  for (const candle of told.candles) known.set(candle[0], candle);
  candles = [...known.values()].sort((a, b) => a[0] - b[0]).slice(-MOST);
  detail = told;
  list.choose(chosen);
  actions.of(told);
  card.draw(told.card);
  redraw();
}

/** Draw at the next frame, once however often it is asked for. */
function redraw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    draw();
  });
}

function draw() {
  title();
  const missing = nothing();
  byId("nothing").hidden = !missing;
  byId("nothing").textContent = missing;
  byId("chart").hidden = missing !== "";
  byId("below").hidden = byId("key").hidden = missing !== "" || !detail?.fan;
  if (missing || !detail) return;
  const shown = horizons ?? usual(detail);
  toggles(detail, shown);
  byId("chart").setAttribute("aria-label", card.aloud(detail));
  byId("now").hidden = byId("newer").hidden = !past;
  byId("hint").hidden = past !== null;
  byId("caption").textContent = past ? since(past, shown) : said(detail, shown);
  if (!ready) return; // what is said in words need not wait for plotly
  const fan = past ?? detail.fan;
  chart.draw(scene(detail, candles, past, shown, chart.width()), detail.stepMs, label(detail), fan?.asOf ?? null);
  if (!document.body.dataset.drawn) performance.mark("drawn");
  document.body.dataset.drawn = String(fan?.asOf ?? "");
}

/** Why there is no chart; empty if there is one. */
function nothing() {
  if (!chart.installed) {
    return 'The chart needs plotly. On the machine of the gateway: pip install "stream-lstm[plots]", then start it again.';
  }
  if (detail) return candles.length ? "" : "No candle of this series has closed yet.";
  if (chosen && list.has(chosen)) return "Reading …";
  return status?.reading
    ? "Reading what was said so far …"
    : "No candle and no forecast has come yet. Candles come from a producer that writes to an input topic (stream-lstm feed, for one), forecasts from a worker (stream-lstm run).";
}

function title() {
  const name = byId("name");
  if (!detail) {
    name.textContent = chosen && list.has(chosen) ? chosen : "No series yet";
    byId("price").textContent = byId("label").textContent = byId("caption").textContent = "";
    byId("label").className = "";
    if (!chosen) byId("card").replaceChildren(element("p", "soft", "There is no forecast to trust yet."));
    return;
  }
  name.replaceChildren(`${detail.symbol} `, element("small", "", `${detail.interval} · ${detail.exchange}`));
  byId("price").textContent = price(detail.card.lastClose);
  const { code, text } = detail.card.state;
  byId("label").textContent = text;
  byId("label").className = `badge${card.WARNING.has(code) ? " warn" : code === "fresh" ? " accent" : ""}`;
}

/** What must be said about the fan where it is seen. @param {Detail} of */
function label(of) {
  if (past) return { text: `forecast of ${moment(past.asOf)}`, warn: false };
  const { code, text } = of.card.state;
  if (!of.fan) return { text: `no forecast: ${text}`, warn: false };
  return { text: LABELS[code] ?? text, warn: card.WARNING.has(code) };
}

/** The forecast in words, at the longest horizon that is shown. @param {Detail} of @param {Set<string>} shown */
function said(of, shown) {
  const { fan } = of;
  const name = of.horizons.filter((each) => shown.has(each.name) && fan?.paths[each.name]).at(-1)?.name;
  if (!fan || !name) return of.card.trust.more;
  const { times, mid, bands } = fan.paths[name];
  const [lower, upper] = bands[bands.length - 1].map((side) => price(side[side.length - 1], of.card.lastClose));
  const middle = price(mid[mid.length - 1], of.card.lastClose);
  const begin = of.asOf < (candles.at(-1)?.[0] ?? 0) ? `As of ${moment(of.asOf)}: in` : "In";
  return `${begin} ${name}, by ${moment(times[times.length - 1])}, between ${lower} and ${upper} in 95 of 100 cases, the middle at ${middle}`;
}

/** How the chosen fan has done. @param {Fan} fan @param {Set<string>} shown */
function since(fan, shown) {
  const told = Object.entries(fan.held ?? {}).filter(([name, [, of]]) => shown.has(name) && of > 0);
  const longest = told.sort(([, a], [, b]) => b[1] - a[1])[0];
  if (!longest) return `Forecast of ${moment(fan.asOf)}; nothing has come since`;
  const [name, [inside, of]] = longest;
  return `Forecast of ${moment(fan.asOf)}: ${inside} of the ${of} closes since, on the way to ${name}, were inside 95%${inside < of ? ` (${percent(inside / of)})` : ""}`;
}

/** @param {Detail} of @param {Set<string>} shown */
function toggles(of, shown) {
  const place = byId("horizons");
  const names = of.horizons.map((each) => each.name);
  if (place.dataset.names !== names.join()) {
    place.dataset.names = names.join();
    place.querySelectorAll("button").forEach((button) => button.remove());
    for (const name of names) {
      const button = element("button", "", name);
      button.setAttribute("type", "button");
      button.addEventListener("click", () => toggle(name));
      byId("far").before(button);
    }
  }
  place.querySelectorAll("button").forEach((button) => {
    button.setAttribute("aria-pressed", String(shown.has(button.textContent ?? "")));
  });
  const far = horizons ? [] : names.filter((name) => !shown.has(name));
  byId("far").textContent = far.length ? `${far.join(", ")} would squeeze the candles` : "";
}

/** @param {string} name */
function toggle(name) {
  if (!detail) return;
  horizons = new Set(horizons ?? usual(detail));
  if (!horizons.delete(name)) horizons.add(name);
  redraw();
}

/** Show what was forecast at the close of a candle; null for now. @param {number | null} asOf */
async function look(asOf) {
  const of = detail;
  if (!of || asOf === null || asOf >= of.asOf) {
    past = null;
    return redraw();
  }
  const query = new URLSearchParams({ series: of.key, asOf: String(asOf) });
  const answer = await fetch(`/api/dashboard/fan?${query}`).catch(() => null);
  if (detail?.key !== of.key) return;
  if (answer?.ok) {
    past = (await answer.json()).data;
    redraw();
  } else {
    byId("caption").textContent = `No forecast of ${moment(asOf)} is remembered.`;
  }
}

/** So many candles on from the forecast that is shown. @param {number} by */
function step(by) {
  if (detail) void look((past?.asOf ?? detail.asOf) + by * detail.stepMs);
}

/** The candle at a place of the page. @param {number} x */
function candleAt(x) {
  const at = chart.timeAt(x);
  const length = detail?.stepMs ?? 0;
  return at === null ? undefined : candles.find((candle) => candle[0] <= at && at < candle[0] + length);
}

function sayStatus() {
  const place = byId("status");
  document.body.dataset.connection = lost ? "lost" : "open";
  if (lost) {
    place.textContent = `No connection to the gateway since ${lost}; trying again. The page shows how things were then.`;
  } else if (status) {
    const parts = status.reading ? ["reading what was said so far"] : [status.workers, status.lag];
    if (status.deadLetters) parts.push(`${status.deadLetters.toLocaleString("en")} dead letters`);
    if (status.leftOut) parts.push(`only ${status.series.toLocaleString("en")} series are kept`);
    place.textContent = [...status.trouble, ...parts].join(" · ");
  }
  place.classList.toggle("bad", lost !== "" || !!status?.down || !!status?.trouble.length);
  if (status) actions.guard(status.needsToken);
  redraw();
}

/** @param {boolean} open */
function openList(open) {
  byId("list").classList.toggle("open", open);
  byId("menu").setAttribute("aria-expanded", String(open));
}

const place = byId("chart");
place.addEventListener("click", (event) => {
  const candle = candleAt(event.clientX);
  if (candle && detail) void look(candle[0] + detail.stepMs - 1);
});
place.addEventListener("pointermove", (event) => {
  const candle = candleAt(event.clientX);
  if (candle && detail && !past) byId("caption").textContent = chart.words(candle, detail.stepMs);
});
place.addEventListener("pointerleave", redraw);
addEventListener("keydown", (event) => {
  const writes = event.target instanceof HTMLInputElement;
  if (event.key === "/" && !writes) {
    event.preventDefault();
    openList(true);
    byId("search").focus();
  } else if (event.key === "Escape" && past) {
    void look(null);
  } else if (document.activeElement === place && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    event.preventDefault();
    step(event.key === "ArrowLeft" ? -1 : 1);
  }
});
byId("older").addEventListener("click", () => step(-1));
byId("newer").addEventListener("click", () => step(1));
byId("now").addEventListener("click", () => void look(null));
byId("menu").addEventListener("click", () => openList(!byId("list").classList.contains("open")));
addEventListener("themed", redraw);
addEventListener("hashchange", () => choose(decodeURIComponent(location.hash.slice(1))));
new ResizeObserver(() => ready && redraw()).observe(place);
setInterval(() => past && void look(past.asOf), 5_000);

list.start(choose);
actions.start();
void chart.loaded().then(() => {
  ready = true;
  redraw();
});
connect();
