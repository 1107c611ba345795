// Answers since the page was opened, in its memory alone. An answer is moved here as soon as it belongs to something else
// than what the form shows: it loses its colour, and is folded under its own question.

import { by, element, lettered, written } from "./dom.js";
import { state } from "./state.js";
import { DEFERRED, isGiven, verdict } from "./verdict.js";

const MOST = 50;

// Return the place of an answer to the form as it was. True where one was shown.
export function clearAnswer() {
  if (state.shown === null) return false;
  const { asked, reply, card } = state.shown;
  state.shown = null;
  by("result").hidden = true;
  by("waiting").hidden = false;
  by("waiting-heading").textContent = "The answer will be here";
  by("waiting-text").textContent = "The last answer belonged to another picture or question. It is kept below.";
  card.querySelector(".headline").removeAttribute("id");
  keep(asked, reply, card);
  return true;
}

function keep(asked, reply, card) {
  const { tone, words: unproved } = verdict(reply);
  const outcome = isGiven(reply) ? ["Answered then: ", ...lettered(reply.answer), tone === "unproved" ? ` (${unproved})` : ""] : [DEFERRED];
  const time = asked.at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  card.classList.add("old");
  const picture = asked.picture.view ? element("img", { src: asked.picture.view.image, alt: "" }) : null;
  const words = element("span", {}, element("span", { class: "quiet" }, `${time} · `, written(asked.question)), element("span", { class: "outcome" }, ...outcome));
  const entry = element("li", {}, element("details", {}, element("summary", {}, picture, words), card));
  by("earlier-list").prepend(entry);
  while (by("earlier-list").children.length > MOST) by("earlier-list").lastElementChild.remove();
  by("earlier").hidden = false;
}

export function watchEarlier() {
  by("forget").addEventListener("click", () => {
    by("earlier-list").replaceChildren();
    by("earlier").hidden = true;
    by("question").focus();
  });
}
