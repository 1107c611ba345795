// Faults are shown where the eye is: at the field that is meant, else where the answer would be. The focus goes there.

import { by } from "./dom.js";

let marked = null;

export function showProblem(text, field = null) {
  hideProblem();
  const problem = by("problem");
  if (field !== null) {
    field.closest("details")?.setAttribute("open", ""); // folded away, it would not be seen
    const place = field.closest("li, .drop") ?? field;
    place.after(problem);
    field.setAttribute("aria-invalid", "true");
    const described = field.getAttribute("aria-describedby");
    field.setAttribute("aria-describedby", described ? `${described} problem` : "problem");
    marked = [field, described];
  } else {
    by("waiting").before(problem);
  }
  problem.textContent = text;
  problem.hidden = false;
  (field ?? problem).focus({ preventScroll: true });
  problem.scrollIntoView({ block: "nearest" });
}

export function hideProblem() {
  by("problem").hidden = true;
  by("problem").textContent = "";
  if (marked === null) return;
  const [field, described] = marked;
  field.removeAttribute("aria-invalid");
  if (described) field.setAttribute("aria-describedby", described);
  else field.removeAttribute("aria-describedby");
  marked = null;
}

// What a file that was chosen has become; null where it can still be read. A browser reads no file that was written anew.
export async function fileFault({ blob, name }) {
  try {
    await blob.slice(0, 1).arrayBuffer();
    return null;
  } catch {
    return `${name} can't be read: it was changed or moved since it was chosen, or is no file. Choose it again.`;
  }
}

export function describe(response, body) {
  if (response.ok) return "The reply broke off. Ask again: what is asked again is recorded once.";
  if (response.status === 401) return "Your key is not taken any more. Sign in again at /sign-in in another tab, then ask once more.";
  const what = body?.detail ?? body?.title ?? `The gateway replied with status ${response.status}.`;
  const later = response.headers.get("Retry-After");
  return later ? `${what} (Try again in ${later} s.)` : what;
}
