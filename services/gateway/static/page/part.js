// The part of a DICOM object that is asked about: a frame, by a slider, and the window that was set in the viewer. Both
// go with the look at the picture and with the question, so that what is seen is what the model sees.

import { by } from "./dom.js";
import { state } from "./state.js";

export const WHOLE = { frame: null, window: null };

// The query of a look at the part.
export function query({ frame, window }) {
  const asked = new URLSearchParams({ grey: "true" });
  if (frame !== null) asked.set("frame", frame);
  if (window !== null) {
    asked.set("center", window.center);
    asked.set("width", window.width);
  }
  return asked;
}

// The fields of a question about the part.
export function appendPart(form, { frame, window }) {
  if (frame !== null) form.append("frame", String(frame));
  if (window !== null) form.append("window", JSON.stringify(window));
}

// Shows what there is to choose, once the gateway has said what the object is; null: it is no DICOM object.
export function showPart(dicom, window) {
  by("part").hidden = !dicom || (dicom.frames < 2 && window === null);
  if (!dicom) return;
  by("part-frame").hidden = dicom.frames < 2;
  by("frame").max = dicom.frames;
  by("frame").value = dicom.frame;
  tell(dicom.frame, dicom.frames);
  by("own-window").hidden = window === null;
}

function tell(frame, frames) {
  by("frame-value").textContent = `${frame} of ${frames}`;
  by("frame").setAttribute("aria-valuetext", `${frame} of ${frames}`);
}

// `choose` is given what changes of the part.
export function watchPart(choose) {
  by("frame").addEventListener("input", (event) => {
    if (state.picture === null) return;
    const frame = Number(event.target.value);
    tell(frame, event.target.max);
    choose({ frame });
  });
  by("own-window").addEventListener("click", () => {
    by("enlarge").focus(); // the button goes
    choose({ window: null });
  });
}
