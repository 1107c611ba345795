// What a reply comes to: its tone, and the words for it. Green takes a guarantee and a risk that the answer itself keeps to.

import { chosenPercent, ofHundred } from "./numbers.js";

const LARGEST_GREEN_RISK = 0.2;

export const DEFERRED = "No reliable answer: judge for yourself";
export const isGiven = (reply) => reply.decision === "answer" && reply.answer !== null;
export const answerText = ({ letter, text }) => (letter ? `${letter}. ${text}` : text);

export function verdict(reply) {
  const { guarantee, max_risk: risk } = reply.decision_basis;
  if (!isGiven(reply)) return { tone: "deferred", words: "" };
  if (!guarantee) return { tone: "unproved", words: "No guarantee" };
  const promise = `Guarantee: at most ${chosenPercent(risk)} of such answers are wrong`;
  if (!reply.calibration.calibrated) return { tone: "given", words: promise };
  if (reply.confidence < 1 - risk) return { tone: "given", words: `${promise}; this one is less sure than that` };
  return { tone: risk <= LARGEST_GREEN_RISK ? "sure" : "given", words: promise };
}

// One sentence in counts of a guess, if its confidence is calibrated. An answer's is in the reply's own statement.
export function guessCounts(reply) {
  if (!reply.calibration.calibrated || reply.confidence === null) return "";
  const poor = reply.confidence < 0.5 ? " More often wrong than right." : "";
  return `Of 100 guesses like the model's here ${ofHundred(reply.confidence)} right.${poor}`;
}

export function basis(reply) {
  const { code, reason } = reply.decision_basis;
  if (code === "atypical-input") return `Unusual question: ${reply.atypicality.reason}.`;
  return reason;
}

export function optionsLeft(set, count) {
  if (!set) return "";
  if (set.letters.length === count) return `No option can be ruled out. ${set.reason}`;
  return `Options left: ${set.letters.join(", ")}. ${set.reason}`;
}
