// The options' fields. Nothing that was typed is lost: a removed option, or a question that a sample replaced, can be put back.

import { by, element } from "./dom.js";
import { state } from "./state.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
export const NO_OPTIONS = Array(4).fill(""); // fields to begin with
let restore = null;

export const optionInputs = () => [...by("options").querySelectorAll("input")];
export const optionTexts = () => optionInputs().map((input) => input.value);

export function setOptions(texts) {
  by("options").replaceChildren();
  for (const text of texts) addOption(text);
}

// Answers call options by letters, and empty fields are not sent: the others close up, so that letters agree.
export function closeGaps() {
  const texts = optionTexts();
  const filled = texts.filter((text) => text.trim());
  if (texts.slice(0, filled.length).every((text) => text.trim())) return;
  setOptions([...filled, ...Array(texts.length - filled.length).fill("")]);
}

export function addOption(text = "", before = null) {
  const item = element("li", {}, element("label"), element("input", { type: "text", dir: "auto", autocomplete: "off" }));
  item.append(element("button", { type: "button", text: "Remove", onclick: () => removeOption(item) }));
  item.querySelector("input").value = text;
  by("options").insertBefore(item, before);
  letterOptions();
  return item.querySelector("input");
}

function removeOption(item) {
  const input = item.querySelector("input");
  const [text, letter] = [input.value, item.querySelector("label").textContent];
  const place = [...by("options").children].indexOf(item);
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  letterOptions();
  if (text.trim()) {
    offerUndo(`Option ${letter}, “${text.trim()}”, was removed.`, () => addOption(text, by("options").children[place] ?? null).focus());
  }
  (next?.querySelector("input") ?? by("add-option")).focus();
  by("options").dispatchEvent(new Event("input", { bubbles: true }));
}

function letterOptions() {
  optionInputs().forEach((input, index) => {
    const letter = LETTERS[index];
    input.id = `option-${letter}`;
    const item = input.closest("li");
    const label = item.querySelector("label");
    label.htmlFor = input.id;
    label.textContent = letter;
    input.setAttribute("aria-label", `Option ${letter}`);
    item.querySelector("button").setAttribute("aria-label", `Remove option ${letter}`);
  });
  by("add-option").disabled = optionInputs().length >= state.about.limits.options_most;
}

export function offerUndo(text, undo) {
  restore = undo;
  by("undo-text").textContent = text;
  by("undo").hidden = false;
}

export function withdrawUndo() {
  restore = null;
  by("undo").hidden = true;
}

export function watchOptions() {
  by("add-option").addEventListener("click", () => addOption().focus());
  by("put-back").addEventListener("click", () => {
    const undo = restore;
    withdrawUndo();
    undo?.();
    by("options").dispatchEvent(new Event("input", { bubbles: true }));
  });
}
