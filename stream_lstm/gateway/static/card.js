/** The card that answers "can I trust it?", and the log of events below. */
import { byId, element, moment, percent, price, svg } from "./format.js";

/** @typedef {import("./types.js").Card} Card */
/** @typedef {import("./types.js").Trust} Trust */
/** @typedef {import("./types.js").Entry} Entry */

/** States in which a forecast should not be relied on as it stands. */
export const WARNING = new Set(["stale", "down", "behind", "quiet", "split"]);
const MOST = 120;

/** @param {Card} card */
export function draw(card) {
  const warn = ["no", "care"].includes(card.trust.code) ? " warn" : "";
  const model = element("div", "model");
  model.append(element("p", `verdict${warn}`, card.trust.text));
  if (card.trust.more) model.append(element("p", "", card.trust.more));
  for (const line of card.model) model.append(element("p", "soft", capital(line)));
  byId("card").replaceChildren(model, ...card.horizons.map((trust) => horizon(trust, card.lastClose)));
  byId("note").hidden = !card.horizons.length;
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {Trust} trust @param {number | null} like */
function horizon(trust, like) {
  const box = element("div", "horizon");
  const head = element("p", "line");
  const bounds = trust.bounds ? `${price(trust.bounds[0], like)} – ${price(trust.bounds[1], like)}` : "–";
  head.append(element("b", "", trust.horizon), element("span", "", bounds));
  box.append(head);
  if (trust.coverage === null || trust.nominal === null) {
    box.append(element("p", "small", "None of its forecasts has come due yet"));
    return box;
  }
  box.append(bar(trust.coverage, trust.nominal));
  const counted = `${percent(trust.coverage)} of ${trust.count.toLocaleString("en")} inside, asked ${percent(trust.nominal).replace(".0", "")}`;
  const held = element("p", "line small");
  held.append(element("span", "", counted), element("strong", "", trust.verdict.text));
  box.append(held);
  if (trust.verdict.more) box.append(element("p", "small", trust.verdict.more));
  box.append(fact("vs. last price", trust.skill ?? "–"));
  if (trust.intervalSkill !== null) {
    const side = trust.intervalSkill < 0 ? "worse" : "better";
    box.append(fact("vs. simple volatility", `${percent(Math.abs(trust.intervalSkill))} ${side}`));
  }
  if (trust.extrapolated) box.append(element("p", "small", "Extrapolated: too little history of its own"));
  return box;
}

/** @param {string} what @param {string} value */
function fact(what, value) {
  const line = element("p", "line small");
  line.append(element("span", "", what), element("span", "", value));
  return line;
}

/** A bar of the coverage with a tick at what was asked. @param {number} share @param {number} nominal */
function bar(share, nominal) {
  const drawing = svg("svg", { viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" });
  drawing.append(
    svg("rect", { class: "bar-ground", x: 0, y: 4, width: 100, height: 6 }),
    svg("rect", { class: "bar", x: 0, y: 4, width: 100 * share, height: 6 }),
    svg("line", {
      class: "tick", x1: 100 * nominal, x2: 100 * nominal, y1: 0, y2: 14, "vector-effect": "non-scaling-stroke",
    }),
  );
  return drawing;
}

/** The chart for those who do not see it. @param {import("./types.js").Detail} of */
export function aloud(of) {
  const said = of.card.horizons
    .filter((each) => each.bounds)
    .map((each) => `in ${each.horizon} between ${each.bounds?.map((bound) => price(bound)).join(" and ")}`);
  return `${of.symbol}, last close ${price(of.card.lastClose)}. 95% forecast: ${said.join("; ") || "none yet"}. Arrow keys choose an earlier forecast.`;
}

/**
 * Events, the newest first.
 * @param {Entry[]} events
 * @param {boolean} whole
 */
export function log(events, whole) {
  const place = byId("log");
  if (whole) place.replaceChildren();
  for (const event of events) {
    const line = element("li");
    const time = element("time", "", moment(event.at));
    time.setAttribute("datetime", new Date(event.at).toISOString());
    line.append(time, element("span", event.trouble ? "trouble" : "", event.text));
    place.prepend(line);
  }
  while (place.childElementCount > MOST) place.lastElementChild?.remove();
}
