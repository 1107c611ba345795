// An answer in plain text, for the clipboard, and on paper. A deferral is copied without the model's guess.

import { by, element, say } from "./dom.js";
import { appliedWords } from "./known.js";
import { state } from "./state.js";
import { answerText, basis, DEFERRED, isGiven, verdict } from "./verdict.js";

export function summary(asked, reply) {
  const options = Object.entries(reply.options).map(([letter, text]) => `  ${letter}. ${text}`);
  const given = isGiven(reply);
  return [
    given ? `Answer: ${answerText(reply.answer)}` : DEFERRED,
    given ? verdict(reply).words : null,
    given ? reply.statement : null,
    basis(reply),
    `Question: ${asked.question}`,
    ...options,
    appliedWords(asked.groups, reply),
    `Picture: ${asked.picture.name}`,
    `Asked ${asked.at.toISOString()}; id ${reply.id}`,
    state.about.notice,
  ].filter(Boolean).join("\n");
}

// Paper leaves its screen: it says of which picture it is, and when that was.
export const askedWhen = (asked, reply) =>
  `Picture: ${asked.picture.name}. Asked ${asked.at.toLocaleString([], { dateStyle: "medium", timeStyle: "long" })}; id ${reply.id}`;

// An earlier answer prints itself, not the one that is shown.
function print(event) {
  const chosen = event.target.closest(".card");
  for (const card of document.querySelectorAll(".card")) card.classList.toggle("printed", card === chosen && card.classList.contains("old"));
  say("Printing.");
  window.print();
}

window.addEventListener("afterprint", () => by("earlier-list").querySelector(".printed")?.classList.remove("printed"));

export function summaryButtons(asked, reply) {
  const told = element("span", { class: "quiet", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(summary(asked, reply));
      told.textContent = "Copied.";
    } catch {
      told.textContent = "The browser did not allow that.";
    }
  };
  return element(
    "div", { class: "card-actions" },
    element("button", { type: "button", text: "Copy", onclick: copy }),
    element("button", { type: "button", text: "Print", onclick: print }),
    told,
  );
}
