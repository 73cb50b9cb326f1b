/** Light, dark, or as the system has it; kept for the next visit. */
import { byId } from "./format.js";

const CHOICES = ["auto", "light", "dark"];
const button = byId("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

/** @param {string} choice */
function apply(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  button.textContent = `Theme: ${choice}`;
  dispatchEvent(new Event("themed"));
}

/** What was chosen; storage may be forbidden. */
function kept() {
  try {
    return localStorage.getItem("theme") ?? "auto";
  } catch {
    return "auto";
  }
}

let chosen = CHOICES.includes(kept()) ? kept() : "auto";
apply(chosen);
button.addEventListener("click", () => {
  chosen = CHOICES[(CHOICES.indexOf(chosen) + 1) % CHOICES.length];
  apply(chosen);
  try {
    localStorage.setItem("theme", chosen);
  } catch {
    // Then it holds for this visit.
  }
});
system.addEventListener("change", () => dispatchEvent(new Event("themed")));
