// The picture: chosen, dropped, pasted or a sample; shown as the gateway prepares it for the models, TIFF and deep grey too.

import { by, element } from "./dom.js";
import { knownAgain, knownOf } from "./known.js";
import { NO_OPTIONS, offerUndo, optionTexts, setOptions, withdrawUndo } from "./options.js";
import { query, showPart, watchPart, WHOLE } from "./part.js";
import { describe, fileFault, hideProblem, showProblem } from "./problems.js";
import { state } from "./state.js";
import { openViewer } from "./viewer.js";

const LONGEST_LOOK_MS = 30_000;
const SETTLED_MS = 150; // a slider that moves on is not yet looked at
let changed = () => {};

export function takePicture(blob, name) {
  changed();
  hideProblem();
  const most = state.about.limits.image_bytes;
  if (blob.size > most) {
    forgetPicture();
    return showProblem(`The picture has ${(blob.size / 1e6).toFixed(1)} MB; ${most / 1e6} are the most.`, by("file"));
  }
  by("enlarge").hidden = true;
  by("drop-text").hidden = true;
  showPart(null);
  knownOf(blob);
  return prepare({ blob, name, ...WHOLE });
}

// Another part of a picture is another picture: an answer and its card belong to the one that was asked about.
function takePart(change) {
  const { blob, name, frame, window } = state.picture;
  changed();
  return prepare({ blob, name, frame, window, ...change }, SETTLED_MS);
}

function prepare(part, wait = 0) {
  const picture = { ...part, view: null, seen: null };
  state.picture = picture;
  by("enlarge").setAttribute("aria-busy", "true");
  by("file-name").textContent = `${picture.name}: being prepared…`;
  picture.seen = look(picture, wait);
  return picture.seen;
}

function forgetPicture() {
  state.picture = null;
  by("enlarge").hidden = true;
  showPart(null);
  by("file-name").textContent = "PNG, JPEG, WebP, TIFF, BMP or DICOM";
  by("drop-text").hidden = false;
}

// What the models will see. A browser shows no TIFF and cuts deep grey down in its own way: the gateway says.
async function look(picture, wait) {
  let response, body;
  try {
    if (wait) await new Promise((settled) => setTimeout(settled, wait));
    if (state.picture !== picture) return;
    const headers = { "Content-Type": picture.blob.type || "application/octet-stream" };
    response = await fetch(`/v1/picture?${query(picture)}`, { method: "POST", body: picture.blob, headers, signal: AbortSignal.timeout(LONGEST_LOOK_MS) });
    body = await response.json();
  } catch {
    const fault = await fileFault(picture);
    if (state.picture !== picture) return;
    if (fault === null) return notShown(picture); // the gateway is away: asking will say so
    forgetPicture();
    return showProblem(fault, by("file"));
  }
  if (state.picture !== picture) return;
  if (response.ok) {
    picture.view = body;
    showPreview(picture);
  } else if (response.status >= 400 && response.status < 500 && response.status !== 408 && response.status !== 429) {
    forgetPicture();
    knownAgain();
    showProblem(describe(response, body), by("file"));
  } else notShown(picture);
}

function notShown(picture) {
  by("enlarge").hidden = true; // it may show another part
  by("file-name").textContent = `${picture.name}: it could not be shown yet`;
}

function showPreview(picture) {
  const preview = by("preview");
  preview.src = picture.view.image;
  preview.alt = `The chosen picture, ${picture.name}, as the model sees it. Enlarge`;
  by("file-name").textContent = `${picture.name}: ${seenWords(picture.view.picture)}`;
  by("enlarge").hidden = false;
  by("enlarge").setAttribute("aria-busy", "false");
  showPart(picture.view.picture.dicom, picture.window);
}

function enlarge(picture) {
  if (!picture?.view) return; // another part is on its way
  const isWindowed = picture.view.picture.dicom && picture.view.grey;
  openViewer(picture.view, picture.name, isWindowed ? (window) => {
    if (state.picture === picture) takePart({ window });
  } : null);
}

export function seenWords(seen) {
  const { format, width, height } = seen.source;
  const scaled = seen.scale < 1 ? `, shown to the model at ${seen.width} × ${seen.height}` : "";
  const window = seen.window ? `, grey from ${number(seen.window[0])} to ${number(seen.window[1])}` : "";
  const frame = seen.dicom?.frames > 1 ? `, frame ${seen.dicom.frame} of ${seen.dicom.frames}` : "";
  return `${format}, ${width} × ${height}${frame}${scaled}${window}`;
}

const number = (value) => String(Number(value.toPrecision(5)));

function pressSample(chosen) {
  for (const button of by("samples").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button === chosen));
  }
}

async function takeSample(sample, button) {
  let blob;
  try {
    const response = await fetch(sample.image);
    if (!response.ok) throw new Error(response.statusText);
    blob = await response.blob();
  } catch {
    return showProblem("The sample could not be loaded.", by("file"));
  }
  by("file").value = "";
  if (sample.question) {
    keepTyped(sample);
    by("question").value = sample.question;
    setOptions(sample.options.length ? sample.options : NO_OPTIONS);
  }
  pressSample(button);
  return takePicture(blob, sample.name);
}

let sampleShown = null;

function keepTyped(sample) {
  const [question, options] = [by("question").value, optionTexts()];
  const typed = JSON.stringify([question, options.filter((text) => text.trim())]);
  const own = typed !== JSON.stringify(["", []]) && typed !== sampleShown;
  sampleShown = JSON.stringify([sample.question, sample.options]);
  withdrawUndo();
  if (!own) return;
  offerUndo("The sample brought its own question.", () => {
    by("question").value = question;
    setOptions(options);
  });
}

async function showSamples() {
  const response = await fetch("/samples");
  if (!response.ok) return;
  for (const sample of await response.json()) {
    const image = element("img", { src: sample.thumbnail ?? sample.image, alt: "", width: 112, height: 112, loading: "lazy" });
    const button = element("button", { type: "button", "aria-pressed": "false" }, image, sample.label);
    button.addEventListener("click", () => takeSample(sample, button));
    by("samples").append(element("li", {}, button));
  }
}

export async function watchPictures(whenChanged) {
  changed = whenChanged;
  const drop = by("drop");
  const take = (file, name) => { pressSample(null); return takePicture(file, name); };
  by("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = ""; // the same file, chosen once more, is a choice too
    if (file) take(file, file.name);
  });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) {
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file, file.name);
  });
  // A picture that misses the box must not make the browser leave the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  document.addEventListener("paste", (event) => {
    // Office programs put a picture of their cells beside the text: pasted into a field, the text is meant.
    if (event.target.matches?.("input, textarea") && event.clipboardData?.types.includes("text/plain")) return;
    const file = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
    if (file) take(file, file.name || "pasted picture");
  });
  by("enlarge").addEventListener("click", () => enlarge(state.picture));
  watchPart(takePart);
  await showSamples();
}
