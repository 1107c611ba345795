// Right, wrong, or what was right: one click, sent to the gateway's records.

import { by, element } from "./dom.js";
import { describe } from "./problems.js";
import { state } from "./state.js";
import { isGiven } from "./verdict.js";

let name = "";

export function reviewRow(reply) {
  if (!reply.recorded || !state.about.takes_feedback) return null;
  const letters = Object.keys(reply.options);
  const given = isGiven(reply);
  const told = element("p", { class: "told quiet", role: "status" });
  const row = element("div", { class: "review", role: "group", "aria-label": "Was this right?" });
  const button = (text, label, said) => element("button", {
    type: "button", text, "aria-label": label, onclick: () => send(row, told, reply.id, said),
  });
  row.append(element("span", { class: "review-heading", text: given ? "Do you know the truth?" : "Do you know what is right?" }));
  if (given) row.append(button("Right", "The answer was right", { right: true }), button("Wrong", "The answer was wrong", { right: false }));
  if (letters.length) {
    row.append(element("span", { class: "quiet", text: given ? "or what was right:" : "" }));
    for (const letter of letters) row.append(button(letter, `Right was ${letter}, ${reply.options[letter]}`, { correct_option: letter }));
  } else if (!given) {
    row.append(element("span", { class: "quiet", text: "Say so by the API: the model's guess stays folded." }));
  }
  row.append(whoField(), told);
  return row;
}

// Whoever is signed in reviews under the key's name; without keys there is nobody to know.
function whoField() {
  const { signed_in: signedIn } = state.about;
  if (signedIn !== null) return element("span", { class: "quiet", text: `as ${signedIn}` });
  const input = element("input", { type: "text", class: "reviewer", maxlength: 100, autocomplete: "name", "aria-label": "Who says so", placeholder: "your name" });
  input.value = name;
  input.addEventListener("input", () => { name = input.value; });
  return input;
}

async function send(row, told, id, said) {
  const who = state.about.signed_in ?? (name.trim() || "this machine's user");
  const buttons = [...row.querySelectorAll("button")];
  for (const each of buttons) each.disabled = true;
  told.textContent = "Keeping it…";
  try {
    const response = await fetch(`/vqa/${id}/feedback`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ who, ...said }),
    });
    const body = await response.json().catch(() => null);
    told.textContent = response.ok ? `Kept, as said by ${body.who}. Another click corrects it.` : describe(response, body);
  } catch {
    told.textContent = "The gateway could not be reached: it was not kept.";
  } finally {
    for (const each of buttons) each.disabled = false;
  }
}
