// The card of an answer, with the picture and the question that it belongs to. Of a deferral it shows no answer: the
// model's guess is folded away, and called a guess wherever it can be read.

import { element, lettered } from "./dom.js";
import { appliedWords } from "./known.js";
import { percent } from "./numbers.js";
import { seenWords } from "./picture.js";
import { reviewRow } from "./review.js";
import { askedWhen, summaryButtons } from "./summary.js";
import { basis, DEFERRED, guessCounts, isGiven, optionsLeft, verdict } from "./verdict.js";
import { openViewer } from "./viewer.js";

const WITHOUT = {
  policy: "The guidance model is away: the question was asked without guidance.",
  logprobs: "The model's server reports no probabilities: the confidence rests on what the model stated alone.",
  decoding: "The model's server takes no settings of sampling: its text was sampled in another way than asked for.",
  "system-message": "The model's server takes no system message: it was put at the head of the question.",
  "response-format": "The model's server cannot be held to a form of reply: it was asked for in words alone.",
  seed: "The model's server takes no seed: the same question may get another text.",
  "second-look": "The model did not reply to a further question about its answer: the confidence does without it.",
  encoder: "No sentence encoder is installed: answers were compared by their spelling alone.",
  calibrator: "No calibrator fits these models: the confidence is the model's own statement.",
  "calibration-alarm": "Reviews show that the confidence of these models no longer holds: see the calibration page.",
};

export function makeCard(asked, reply) {
  const given = isGiven(reply);
  const { tone, words } = verdict(reply);
  const text = (name, content, tag = "p") => (content ? element(tag, { class: name, text: content }) : null);
  const left = text("options-left", optionsLeft(reply.option_set, Object.keys(reply.options).length));
  return element(
    "article", { class: `card ${tone}` },
    element("h2", { class: "headline", text: given ? "Answer" : DEFERRED }),
    given ? element("p", { class: "answer" }, ...lettered(reply.answer)) : null,
    text("decision", words),
    given ? text("statement", reply.statement) : null,
    askedPart(asked, reply, given ? reply.answer.letter : null),
    text("basis", basis(reply)),
    given ? left : null,
    given ? bars(reply) : null,
    text("calibration quiet", calibrationWords(reply)),
    degraded(reply.degraded),
    text("on-paper", askedWhen(asked, reply)),
    given ? null : guess(reply, left),
    reviewRow(reply),
    summaryButtons(asked, reply),
    background(reply, given),
  );
}

function askedPart(asked, reply, chosen) {
  const known = appliedWords(asked.groups, reply);
  const { view } = asked.picture;
  const picture = view
    ? element("button", { type: "button", class: "picture", onclick: () => openViewer(view, asked.picture.name) },
      element("img", { src: view.image, alt: `What the model saw of ${asked.picture.name}. Enlarge` }))
    : null;
  const caption = view ? `What the model saw: ${seenWords(view.picture)}` : `Picture: ${asked.picture.name}`;
  const options = Object.entries(reply.options).map(([letter, option]) =>
    element("li", letter === chosen ? { class: "chosen" } : {}, ...lettered({ letter, text: option })));
  return element(
    "div", { class: "asked" },
    element("figure", {}, picture, element("figcaption", { class: "quiet", text: caption })),
    element("div", {}, element("p", { class: "asked-question", dir: "auto", text: asked.question }),
      options.length ? element("ul", { class: "asked-options" }, ...options) : null,
      known ? element("p", { class: "asked-known quiet", text: known }) : null),
  );
}

function bar(label, share, kind) {
  const fill = element("div", { class: "fill" });
  fill.style.setProperty("--share", share);
  const track = element("div", {
    class: "track", role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-valuenow": Math.round(share * 100), "aria-valuetext": percent(share),
  }, fill);
  const words = element("div", { class: "bar-label" }, element("span", { text: label }), element("strong", { text: percent(share) }));
  return element("div", { class: `bar ${kind}` }, words, track);
}

function bars(reply) {
  const { calibrated, stated_confidence: stated } = reply.calibration;
  const made = [];
  if (reply.confidence !== null) {
    made.push(calibrated ? bar("Calibrated", reply.confidence, "calibrated")
      : bar("Not calibrated: as the model stated it", reply.confidence, "uncalibrated"));
  }
  if (calibrated) made.push(bar("Stated by the model", stated, "stated"));
  return element("div", { class: "bars" }, ...made);
}

function calibrationWords(reply) {
  const { calibrated, calibrator, fitted_on: fitted, stated_confidence: stated, reason } = reply.calibration;
  if (calibrated) return `Corrected by ${calibrator}, fitted on ${fitted.n} answers of ${fitted.dataset} (${fitted.date}).`;
  return `Not calibrated: ${reply.atypicality?.beyond && stated !== null ? "the correction was checked on other questions" : reason}.`;
}

function degraded(names) {
  if (names.length === 0) return null;
  return element("div", { class: "degraded notice" }, ...names.map((name) => element("div", { text: WITHOUT[name] ?? `Done without: ${name}` })));
}

// The label and the guess are one text: who prints it or reads it aloud has both. It cannot be copied (see answer.css).
function guess(reply, left) {
  const said = reply.guess ? ["The model's guess, not reliable: ", ...lettered(reply.guess)] : ["The model's reply holds no answer."];
  return element(
    "details", { class: "guess" },
    element("summary", { text: "Show what the model guessed (not reliable)" }),
    element("p", { class: "guessed" }, ...said),
    element("p", { text: guessCounts(reply) }),
    bars(reply),
    left,
    element("p", { class: "quiet", text: "Its words, not reliable:" }),
    quoted("explanation", reply.guess_explanation, "nothing"),
  );
}

function background(reply, given) {
  const { models, timing_ms: timing } = reply;
  const guided = [models.downstream, models.policy].filter(Boolean).join(", guided by ");
  const who = [guided, models.second_downstream].filter(Boolean).join(", second opinion by ");
  const facts = `${who} · ${Math.round(timing.total)} ms (guidance ${Math.round(timing.policy)}, answer ${Math.round(timing.downstream)}) · ${reply.id}`;
  return element(
    "details", { class: "background" },
    element("summary", { text: "How this came about" }),
    element("h3", { text: "Guidance given to the model" }),
    quoted("guidance", reply.guidance_prompt, "none was used"),
    ...(given ? [element("h3", { text: "What the model said" }), quoted("explanation", reply.explanation, "nothing")] : []),
    element("p", { class: "facts quiet", text: facts }),
  );
}

const quoted = (name, text, otherwise) => element("blockquote", { class: text ? name : `${name} none`, dir: "auto", text: text || otherwise });
