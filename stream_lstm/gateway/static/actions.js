/** Retrain and delete, behind the token where the gateway has one. */
import { byId } from "./format.js";

/** @typedef {import("./types.js").Detail} Detail */

const dialog = /** @type {HTMLDialogElement} */ (byId("ask"));
const token = /** @type {HTMLInputElement} */ (byId("token"));
/** The token, for as long as the page is open and nowhere else. */
let held = "";
/** @type {Detail | null} */
let series = null;
let needsToken = false;
/** @type {"retrain" | "delete"} */
let asked = "retrain";

const CONSEQUENCE = {
  retrain: "A new model is trained from the history; the present one answers until then.",
  delete: "The hybrid forecaster answers until the next model is trained.",
};

/** @param {Detail | null} detail */
export function of(detail) {
  series = detail;
  for (const id of ["retrain", "delete"]) /** @type {HTMLButtonElement} */ (byId(id)).disabled = !detail;
}

/** @param {boolean} needed */
export function guard(needed) {
  needsToken = needed;
}

/** Begin. */
export function start() {
  byId("retrain").addEventListener("click", () => ask("retrain"));
  byId("delete").addEventListener("click", () => ask("delete"));
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") void act();
    token.value = "";
  });
}

/** @param {"retrain" | "delete"} what */
function ask(what) {
  if (!series) return;
  asked = what;
  const name = `${series.symbol} ${series.interval}`;
  byId("question").textContent = what === "retrain" ? `Retrain ${name}?` : `Delete the model of ${name}?`;
  byId("consequence").textContent = CONSEQUENCE[what];
  byId("yes").textContent = what === "retrain" ? "Retrain" : "Delete";
  byId("tokenlabel").hidden = !needsToken || held !== "";
  dialog.returnValue = "no";
  dialog.showModal();
}

/** Send what was asked for, and say what came of it. */
async function act() {
  if (!series) return;
  const what = asked;
  if (token.value) held = token.value;
  const query = new URLSearchParams({ exchange: series.exchange, interval: series.interval });
  const path = `/api/ml/models/${encodeURIComponent(series.symbol)}${what === "retrain" ? "/retrain" : ""}?${query}`;
  say(what === "retrain" ? "Asking for a training …" : "Deleting …");
  try {
    const answer = await fetch(path, {
      method: what === "retrain" ? "POST" : "DELETE",
      headers: held ? { Authorization: `Bearer ${held}` } : {},
    });
    const body = await answer.json();
    if (answer.status === 401) held = "";
    say(body.success ? done(what, body.data) : refused(answer.status, body.error.message));
  } catch {
    say("The gateway cannot be reached.");
  }
}

/** @param {string} what @param {any} data */
function done(what, data) {
  if (what === "delete") return data.deletedCount ? "The model is deleted." : "There was no model to delete.";
  if (!data.queued) return "A training is on its way already.";
  return data.place ? `Queued behind ${data.place} others.` : "The training is queued.";
}

/** @param {number} status @param {string} message */
function refused(status, message) {
  return status === 401 ? "Not done: the token is missing or wrong." : `Not done: ${message}`;
}

/** @param {string} text */
function say(text) {
  byId("answer").textContent = text;
}
