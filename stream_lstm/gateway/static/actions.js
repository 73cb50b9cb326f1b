/** Retrain, delete, pause and resume, behind the token where the gateway has one. */
import { byId } from "./format.js";

/** @typedef {import("./types.js").Detail} Detail */
/** @typedef {"retrain" | "delete" | "pause" | "resume"} Action */

const dialog = /** @type {HTMLDialogElement} */ (byId("ask"));
const token = /** @type {HTMLInputElement} */ (byId("token"));
/** The token, for as long as the page is open and nowhere else. */
let held = "";
/** @type {Detail | null} */
let series = null;
let needsToken = false;
/** @type {Action} */
let asked = "retrain";

/** What is asked, what comes of it, the button that says yes, and what is said meanwhile. */
const ACTIONS = {
  retrain: {
    question: "Retrain", yes: "Retrain", meanwhile: "Asking for a training …",
    consequence: "A new model is trained from the history; the present one answers until then.",
  },
  delete: {
    question: "Delete the model of", yes: "Delete", meanwhile: "Deleting …",
    consequence: "The hybrid forecaster answers until the next model is trained.",
  },
  pause: {
    question: "Pause", yes: "Pause", meanwhile: "Pausing …",
    consequence: "It learns on, and publishes no forecast until somebody resumes it.",
  },
  resume: {
    question: "Resume", yes: "Resume", meanwhile: "Resuming …", consequence: "Its next closed candle has a forecast again.",
  },
};

/** @param {Detail | null} detail */
export function of(detail) {
  series = detail;
  const paused = detail?.card.state.code === "paused";
  /** @type {HTMLButtonElement} */ (byId("retrain")).disabled = !detail?.fan || paused;
  /** @type {HTMLButtonElement} */ (byId("delete")).disabled = !detail?.fan;
  /** @type {HTMLButtonElement} */ (byId("pause")).disabled = !detail?.fan && !paused;
  byId("pause").textContent = paused ? "Resume" : "Pause";
}

/** @param {boolean} needed */
export function guard(needed) {
  needsToken = needed;
}

/** Begin. */
export function start() {
  byId("retrain").addEventListener("click", () => ask("retrain"));
  byId("delete").addEventListener("click", () => ask("delete"));
  byId("pause").addEventListener("click", () => ask(series?.card.state.code === "paused" ? "resume" : "pause"));
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") void act();
    token.value = "";
  });
}

/** @param {Action} what */
function ask(what) {
  if (!series) return;
  asked = what;
  byId("question").textContent = `${ACTIONS[what].question} ${series.symbol} ${series.interval}?`;
  byId("consequence").textContent = ACTIONS[what].consequence;
  byId("yes").textContent = ACTIONS[what].yes;
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
  const model = `/api/ml/models/${encodeURIComponent(series.symbol)}`;
  say(ACTIONS[what].meanwhile);
  try {
    const answer = await fetch(`${model}${what === "delete" ? "" : `/${what}`}?${query}`, {
      method: what === "delete" ? "DELETE" : "POST",
      headers: held ? { Authorization: `Bearer ${held}` } : {},
    });
    const body = await answer.json();
    if (answer.status === 401) held = "";
    say(body.success ? done(what, body.data) : refused(answer.status, body.error.message));
  } catch {
    say("The gateway cannot be reached.");
  }
}

/** @param {Action} what @param {any} data */
function done(what, data) {
  if (what === "pause") return "It is paused.";
  if (what === "resume") return "It speaks again from its next candle on.";
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
