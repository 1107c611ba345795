// What is known of the question, such as its modality: offered only where the gateway's evidence tells such groups apart.

import { by, element } from "./dom.js";

const UNKNOWN = "not known";
const worded = (stratum) => stratum.replaceAll("_", " ");

// The groups that were chosen: stratum -> value.
export function knownGroups() {
  const chosen = [...by("known-groups").querySelectorAll("select")].filter((each) => each.value);
  return Object.fromEntries(chosen.map((each) => [each.dataset.stratum, each.value]));
}

export const knownWords = (groups) => Object.entries(groups).map(([name, value]) => `${worded(name)} ${value}`).join(", ");

export function offerGroups(groups) {
  by("known").hidden = Object.keys(groups).length === 0;
  by("known-groups").replaceChildren(...Object.entries(groups).map(([stratum, values], place) => {
    const choices = values.map((value) => element("option", { value, text: value }));
    const select = element("select", { id: `known-${place}` }, element("option", { value: "", text: UNKNOWN }), ...choices);
    select.dataset.stratum = stratum;
    return element("div", {}, element("label", { for: select.id, text: worded(stratum) }), select);
  }));
  tell();
}

// Another picture may be another patient's: what was known of the one before says nothing of it.
export function forgetKnown() {
  for (const select of by("known-groups").querySelectorAll("select")) select.value = "";
  tell();
}

function tell() {
  by("known-chosen").textContent = `(${knownWords(knownGroups()) || "nothing yet"})`;
}

export function watchKnown() {
  by("known-groups").addEventListener("change", tell);
}
