// Asks /vqa, and shows what comes of it beside the question that it belongs to.

import { makeCard } from "./card.js";
import { by, say } from "./dom.js";
import { clearAnswer } from "./earlier.js";
import { knownGroups } from "./known.js";
import { typedShare } from "./numbers.js";
import { closeGaps, optionInputs, withdrawUndo } from "./options.js";
import { appendPart } from "./part.js";
import { describe, fileFault, hideProblem, showProblem } from "./problems.js";
import { state } from "./state.js";
import { basis, DEFERRED, isGiven } from "./verdict.js";

function collect() {
  const question = by("question").value.trim();
  const options = optionInputs().map((input) => input.value.trim()).filter(Boolean);
  if (!state.picture) return { fault: "Choose a picture first.", at: by("file") };
  if (!question) return { fault: "Type a question.", at: by("question") };
  const typed = by("max-risk").value.trim();
  const risk = typed ? typedShare(typed) : null;
  if (typed && risk === null) return { fault: "The accepted risk is a number from 0 to 100, such as 2.5, or nothing.", at: by("max-risk") };
  if (options.length === 1) return { fault: "Give at least two options, or none.", at: optionInputs()[0] };
  const form = new FormData();
  form.append("image", state.picture.blob, state.picture.name);
  appendPart(form, state.picture);
  form.append("question", question);
  if (options.length || by("open-question").checked) form.append("options", JSON.stringify(options));
  form.append("method", by("method").value);
  if (risk !== null) form.append("max_risk", String(risk));
  const groups = knownGroups();
  if (Object.keys(groups).length) form.append("groups", JSON.stringify(groups));
  return { form, asked: { question, named: options.length > 0, groups, picture: state.picture, at: new Date() } };
}

// A question keeps its key until it is answered: asked again after a failure, it is recorded once.
function keyOf(form) {
  const words = JSON.stringify([...form].filter(([name]) => name !== "image"));
  if (state.unanswered?.picture !== state.picture || state.unanswered.words !== words) {
    const random = crypto.getRandomValues(new Uint8Array(16));
    const key = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    state.unanswered = { picture: state.picture, words, key };
  }
  return state.unanswered.key;
}

async function ask(event) {
  event.preventDefault();
  if (state.asking) return;
  clearAnswer();
  const { form, asked, fault, at } = collect();
  if (fault) return showProblem(fault, at);
  hideProblem();
  closeGaps();
  withdrawUndo();
  const asking = new AbortController();
  state.asking = asking;
  busy(true);
  let reply = null;
  try {
    const headers = { "Idempotency-Key": keyOf(form) };
    const response = await fetch("/vqa", { method: "POST", headers, body: form, signal: asking.signal });
    const body = await response.json().catch(() => null);
    await asked.picture.seen;
    if (asking.signal.aborted) return;
    if (response.ok && body) {
      state.unanswered = null;
      reply = body;
    } else if (areLinesUnclear(body)) showProblem(`${describe(response, body)} If they are none, say so here.`, by("open-question"));
    else showProblem(describe(response, body));
  } catch {
    if (asking.signal.aborted) say(asking.signal.reason === "changed" ? "Cancelled, as the question was changed." : "Cancelled.");
    else {
      const fault = await fileFault(asked.picture) ?? "The gateway could not be reached. Is it running? What is asked again is recorded once.";
      if (!asking.signal.aborted) showProblem(fault); // whoever has gone on meanwhile asks something else
    }
  } finally {
    state.asking = null;
    busy(false);
  }
  if (reply) showReply(asked, reply);
}

// Without options of its own a question may hold them in lines, which the gateway takes out: they stand below it, by letters.
function withoutOptions({ question, named }, { options }) {
  if (named) return question;
  const isOption = (line) => Object.entries(options).some(([letter, text]) =>
    line.endsWith(text) && line.slice(0, -text.length).replace(/[^A-Za-z]/g, "").toUpperCase() === letter);
  return question.split("\n").filter((line) => !isOption(line.trim())).join("\n").trim();
}

// Whether the gateway cannot tell if lines of the question are its options.
const areLinesUnclear = (body) => body?.type === "urn:trustvqa:problem:unclear-options";

function showReply(typed, reply) {
  let asked, card;
  try {
    asked = { ...typed, question: withoutOptions(typed, reply) };
    card = makeCard(asked, reply);
  } catch (fault) {
    console.error(fault);
    return showProblem("This page does not understand the reply of the gateway, which may be newer. Reload the page.");
  }
  card.querySelector(".headline").id = "result-heading";
  state.shown = { asked, reply, card };
  by("result").replaceChildren(card);
  by("waiting").hidden = true;
  by("result").hidden = false;
  if (!isTypingElsewhere()) bringIntoSight(card);
  const words = isGiven(reply) ? [reply.statement] : [DEFERRED, basis(reply)];
  say(words.filter(Boolean).join(". "));
}

// Of an earlier answer somebody may be writing who reviews it: what is typed must not go elsewhere.
function isTypingElsewhere() {
  const at = document.activeElement;
  return at !== null && at.matches("input, textarea, select") && !by("ask").contains(at);
}

function bringIntoSight(card) {
  by("result").focus({ preventScroll: true });
  by("result").scrollIntoView({ block: "nearest" });
  // Of a card that is higher than the screen this is the end; what came of the question stands at its head.
  (card.querySelector(".answer") ?? by("result-heading")).scrollIntoView({ block: "nearest" });
  by("result-heading").scrollIntoView({ block: "nearest" });
}

let counting = null;

// Seconds since the models are asked: for the eye alone, since read aloud each second they would be in the way.
function countSeconds(on) {
  clearInterval(counting);
  by("waiting-seconds").textContent = "";
  if (!on) return;
  const began = performance.now();
  counting = setInterval(() => { by("waiting-seconds").textContent = `${Math.floor((performance.now() - began) / 1000)} s`; }, 1000);
}

function busy(on) {
  countSeconds(on);
  by("submit").disabled = on;
  by("submit").textContent = on ? "Asking…" : "Ask";
  by("cancel").hidden = !on;
  if (by("waiting").hidden) return;
  by("waiting-heading").textContent = on ? "Asking the models…" : "The answer will be here";
  if (on) say("Asking the models.");
}

// Whatever is changed, the answer belongs to something else from then on, and so does one that is on its way.
export function changed() {
  state.asking?.abort("changed");
  clearAnswer();
  hideProblem();
}

export function watchAsking() {
  const form = by("ask");
  form.addEventListener("submit", ask);
  // Not "change": a text field that loses the focus to the answer would take that answer away.
  form.addEventListener("input", (event) => { if (event.target !== by("file")) changed(); });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  by("cancel").addEventListener("click", () => state.asking?.abort("cancelled"));
}
