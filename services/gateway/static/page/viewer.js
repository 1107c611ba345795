// The picture as the model saw it, enlarged. Of deep grey, window and level can be moved to look at the rest of the
// file's values; the heading then says that this is not what the model saw. Of a DICOM object that is yet to be asked
// about, it is asked with the window that was set.

import { by } from "./dom.js";

const SEEN = "What the model saw";
const OTHER = "Not what the model saw: window and level were changed";
const AHEAD = "What the model will see: window and level were changed";
let shown = null; // { view, image, grey, low, high, moved, take }

// `take` is given the window that was set, { center, width }, once the viewer is closed; null: it is for looking alone.
export async function openViewer(view, name, take = null) {
  const image = new Image();
  image.src = view.image;
  await image.decode();
  const grey = view.grey && unpacked(view.grey);
  shown = { view, image, grey, low: 0, high: 0, moved: false, take };
  const canvas = by("viewer-canvas");
  canvas.width = view.picture.width;
  canvas.height = view.picture.height;
  canvas.setAttribute("aria-label", `The picture ${name} as the model saw it`);
  by("viewer-facts").textContent = `${view.picture.width} × ${view.picture.height} pixels` +
    (view.picture.window ? `; grey values from ${round(view.picture.window[0])} to ${round(view.picture.window[1])} became black to white` : "");
  by("viewer-window").hidden = grey === null;
  by("viewer-takes").hidden = take === null;
  canvas.classList.toggle("windowed", grey !== null);
  if (grey) setRanges(grey);
  reset();
  by("viewer").showModal();
  const frame = by("viewer-frame");
  const fit = Math.min(frame.clientWidth / canvas.width, frame.clientHeight / canvas.height);
  setZoom(Math.max(0.1, Math.min(8, Math.floor(fit * 20) / 20)));
}

const pen = () => by("viewer-canvas").getContext("2d", { willReadFrequently: true });

function unpacked(grey) {
  const bytes = Uint8Array.from(atob(grey.values), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const values = new Uint16Array(bytes.length / 2);
  for (let place = 0; place < values.length; place += 1) values[place] = view.getUint16(2 * place, true);
  return { ...grey, values };
}

function setRanges(grey) {
  const span = grey.high - grey.low || 1;
  Object.assign(by("viewer-centre"), { min: grey.low, max: grey.high });
  Object.assign(by("viewer-width"), { min: span / 1000, max: span });
}

function reset() {
  shown.moved = false;
  by("viewer-heading").textContent = SEEN;
  by("viewer-frame").classList.remove("changed");
  pen().drawImage(shown.image, 0, 0);
  if (!shown.grey) return;
  [shown.low, shown.high] = shown.view.picture.window;
  tell();
}

function tell() {
  const [centre, width] = [(shown.low + shown.high) / 2, shown.high - shown.low];
  by("viewer-centre").value = centre;
  by("viewer-width").value = width;
  by("viewer-centre-value").textContent = round(centre);
  by("viewer-width-value").textContent = round(width);
}

// Shades by a table of all values: one look-up a pixel, so that dragging keeps up.
function paint() {
  const { grey, low, high } = shown;
  const table = new Uint8ClampedArray(65536);
  const step = (grey.high - grey.low) / 65535;
  for (let value = 0; value < 65536; value += 1) {
    const share = (grey.low + value * step - low) / (high - low);
    table[value] = 255 * (grey.inverted ? 1 - share : share);
  }
  const pixels = new ImageData(grey.width, grey.height);
  const words = new Uint32Array(pixels.data.buffer);
  for (let place = 0; place < words.length; place += 1) words[place] = 0xff000000 | (table[grey.values[place]] * 0x010101);
  pen().putImageData(pixels, 0, 0);
  shown.moved = true;
  by("viewer-heading").textContent = shown.take ? AHEAD : OTHER;
  by("viewer-frame").classList.toggle("changed", shown.take === null);
}

function setWindow(centre, width) {
  const { grey } = shown;
  const span = grey.high - grey.low || 1;
  const half = Math.min(Math.max(width, span / 1000), span) / 2;
  const middle = Math.min(Math.max(centre, grey.low), grey.high);
  [shown.low, shown.high] = [middle - half, middle + half];
  tell();
  paint();
}

function setZoom(zoom) {
  const canvas = by("viewer-canvas");
  canvas.style.width = `${canvas.width * zoom}px`;
  canvas.style.imageRendering = zoom >= 2 ? "pixelated" : "auto";
  by("viewer-zoom").value = zoom;
  by("viewer-zoom-value").textContent = `${Math.round(zoom * 100)} %`;
}

const round = (value) => String(Number(value.toPrecision(4)));

function watchDragging() {
  const canvas = by("viewer-canvas");
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (!shown?.grey) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    from = { x: event.clientX, y: event.clientY, centre: (shown.low + shown.high) / 2, width: shown.high - shown.low };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const step = (shown.grey.high - shown.grey.low) / 400;
    setWindow(from.centre + (event.clientY - from.y) * step, from.width + (event.clientX - from.x) * step);
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { from = null; });
}

export function watchViewer() {
  by("viewer-close").addEventListener("click", () => by("viewer").close());
  by("viewer").addEventListener("close", () => {
    const { take, moved, low, high } = shown;
    if (take && moved) take({ center: (low + high) / 2, width: high - low });
  });
  by("viewer-reset").addEventListener("click", reset);
  by("viewer-zoom").addEventListener("input", (event) => setZoom(Number(event.target.value)));
  by("viewer-centre").addEventListener("input", (event) => setWindow(Number(event.target.value), shown.high - shown.low));
  by("viewer-width").addEventListener("input", (event) => setWindow((shown.low + shown.high) / 2, Number(event.target.value)));
  watchDragging();
}
