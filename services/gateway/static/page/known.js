// What is known of the question, such as its modality: offered only where the gateway's evidence tells such groups apart.

import { by, element } from "./dom.js";
import { state } from "./state.js";

const UNKNOWN = "not known";
let madeFor = null;   // the file that the choice was made for; null where it is for the one to come
let takenBack = null; // the choice that a chosen file took back, in case that file is refused
const worded = (stratum) => stratum.replaceAll("_", " ");

// The groups that were chosen: stratum -> value.
export function knownGroups() {
  const chosen = [...by("known-groups").querySelectorAll("select")].filter((each) => each.value);
  return Object.fromEntries(chosen.map((each) => [each.dataset.stratum, each.value]));
}

const folded = (name) => name.trim().toLowerCase().replace(/\s+/g, " ");
const knownWords = (groups) => Object.entries(groups).map(([name, value]) => `${worded(name)} ${value}`).join(", ");

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

// The groups that an answer's correction, guarantee and options are of, as its reply tells, and what was chosen but is none
// of them: a DICOM object's own statement may stand in place of the choice. Empty where there are neither.
export function appliedWords(chosen, reply) {
  const parts = [reply.calibration.groups, reply.decision_basis.groups, reply.option_set?.groups];
  const applied = new Map(parts.flatMap((groups) => Object.entries(groups ?? {})).map(([name, value]) => [folded(name), [name, value]]));
  const other = Object.entries(chosen).filter(([name, value]) => folded(applied.get(folded(name))?.[1] ?? "") !== folded(value));
  const [overruled, unused] = [true, false].map((is) => knownWords(Object.fromEntries(other.filter(([name]) => applied.has(folded(name)) === is))));
  return [
    applied.size ? `Known: ${knownWords(Object.fromEntries(applied.values()))}` : "",
    overruled ? `The picture's file overruled what was chosen: ${overruled}` : "",
    unused ? `Chosen, but not applied: ${unused}` : "",
  ].filter(Boolean).join(". ");
}

function choose(groups) {
  for (const select of by("known-groups").querySelectorAll("select")) select.value = groups[select.dataset.stratum] ?? "";
  tell();
}

// Another picture may be another patient's: what was known of the one before says nothing of it. What was chosen ahead of
// a picture is of the one that comes.
export function knownOf(file) {
  takenBack = madeFor === null ? null : { madeFor, groups: knownGroups() };
  if (takenBack) choose({});
  madeFor = file;
}

// A file that is refused was no picture: the choice is as it was before, unless another was made since.
export function knownAgain() {
  const untouched = Object.keys(knownGroups()).length === 0;
  madeFor = takenBack && untouched ? takenBack.madeFor : null;
  if (takenBack && untouched) choose(takenBack.groups);
  takenBack = null;
}

function tell() {
  by("known-chosen").textContent = `(${knownWords(knownGroups()) || "nothing yet"})`;
}

export function watchKnown() {
  by("known-groups").addEventListener("change", () => {
    madeFor = state.picture?.blob ?? null;
    tell();
  });
}
