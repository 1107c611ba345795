// What administrators say on the pages about calibration: a form's fields go to the address that its button names.

function told(form, text) {
  const place = form.querySelector('[role="alert"]');
  place.textContent = text;
  place.hidden = false;
  place.focus();
}

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const fields = new FormData(form);
  const body = { who: fields.get("who").trim() };
  const note = fields.get("note").trim();
  if (note) body.note = note;
  if (form.dataset.list) {
    body[form.dataset.list] = fields.getAll(form.dataset.list).map(Number);
    if (body[form.dataset.list].length === 0) return told(form, "Choose at least one.");
  }
  try {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(event.submitter.value, { method: "POST", headers, body: JSON.stringify(body) });
    if (response.ok) return location.reload();
    const problem = await response.json().catch(() => null);
    told(form, problem?.detail ?? `The gateway replied with status ${response.status}.`);
  } catch {
    told(form, "The gateway could not be reached: nothing was changed.");
  }
}

for (const form of document.querySelectorAll("form.administration")) form.addEventListener("submit", send);
document.documentElement.dataset.ready = "true";
