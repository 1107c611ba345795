// The page: collects a picture, a question and options, asks /vqa, shows the reply. No library, no build step.
// Everything that comes from outside enters the document as text, never as markup.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const START_OPTIONS = 4;
const by = (id) => document.getElementById(id);

const state = { picture: null, previewUrl: null, asking: null, unanswered: null, limits: { image_bytes: 20_000_000, options_most: 26 } };

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const percent = (share) => `${Math.round(share * 100)} %`;

// ---- Picture -----------------------------------------------------------------------------------------------------

function takePicture(blob, name) {
  if (blob.size > state.limits.image_bytes) {
    return showProblem(`The picture has ${(blob.size / 1e6).toFixed(1)} MB; ${state.limits.image_bytes / 1e6} are the most.`);
  }
  state.picture = { blob, name };
  if (state.previewUrl) URL.revokeObjectURL(state.previewUrl);
  state.previewUrl = URL.createObjectURL(blob);
  const preview = by("preview");
  preview.onload = () => { preview.hidden = false; };
  // Browsers show no TIFF; the gateway reads it all the same.
  preview.onerror = () => { preview.hidden = true; };
  preview.src = state.previewUrl;
  preview.alt = `The chosen picture: ${name}`;
  by("file-name").textContent = name;
  by("drop-text").hidden = true;
  hideProblem();
}

function pressSample(chosen) {
  for (const button of by("samples").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button === chosen));
  }
}

async function takeSample(sample, button) {
  try {
    const response = await fetch(`/static/samples/${sample.image}`);
    if (!response.ok) throw new Error(response.statusText);
    takePicture(await response.blob(), sample.image);
  } catch {
    return showProblem("The sample could not be loaded.");
  }
  by("file").value = "";
  by("question").value = sample.question;
  setOptions(sample.options);
  pressSample(button);
}

async function showSamples() {
  const response = await fetch("/static/samples/samples.json");
  if (!response.ok) return;
  for (const sample of await response.json()) {
    const image = element("img", { src: `/static/samples/${sample.image}`, alt: "", width: 112, height: 112, loading: "lazy" });
    const button = element("button", { type: "button", "aria-pressed": "false" }, image, sample.label);
    button.addEventListener("click", () => takeSample(sample, button));
    by("samples").append(element("li", {}, button));
  }
}

function watchPictures() {
  const drop = by("drop");
  by("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) { takePicture(file, file.name); pressSample(null); }
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
    if (file) { takePicture(file, file.name); pressSample(null); }
  });
  // A picture that misses the box must not make the browser leave the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
    if (file) { takePicture(file, file.name || "pasted picture"); pressSample(null); }
  });
}

// ---- Options -----------------------------------------------------------------------------------------------------

const optionInputs = () => [...by("options").querySelectorAll("input")];

function setOptions(texts) {
  by("options").replaceChildren();
  for (const text of texts) addOption(text);
}

function addOption(text = "") {
  const item = element("li", {}, element("label"), element("input", { type: "text", maxlength: 500, autocomplete: "off" }));
  const remove = element("button", { type: "button", text: "Remove" });
  remove.addEventListener("click", () => {
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    letterOptions();
    (next?.querySelector("input") ?? by("add-option")).focus();
  });
  item.append(remove);
  item.querySelector("input").value = text;
  by("options").append(item);
  letterOptions();
  return item.querySelector("input");
}

function letterOptions() {
  optionInputs().forEach((input, index) => {
    const letter = LETTERS[index];
    input.id = `option-${letter}`;
    const item = input.closest("li");
    const label = item.querySelector("label");
    label.htmlFor = input.id;
    label.textContent = letter;
    input.setAttribute("aria-label", `Option ${letter}`);
    item.querySelector("button").setAttribute("aria-label", `Remove option ${letter}`);
  });
  by("add-option").disabled = optionInputs().length >= state.limits.options_most;
}

// ---- Asking ------------------------------------------------------------------------------------------------------

function collect() {
  const question = by("question").value.trim();
  // Empty fields are left out, so the letters that the answer uses follow what is shown: close the gaps here too.
  const options = optionInputs().map((input) => input.value.trim()).filter(Boolean);
  if (!state.picture) return { fault: "Choose a picture first.", at: by("file") };
  if (!question) return { fault: "Type a question.", at: by("question") };
  if (options.length === 1) return { fault: "Give at least two options, or none.", at: optionInputs()[0] };
  const form = new FormData();
  form.append("image", state.picture.blob, state.picture.name);
  form.append("question", question);
  form.append("options", JSON.stringify(options));
  form.append("method", by("method").value);
  const risk = by("max-risk").value.trim();
  if (risk) form.append("max_risk", String(Number(risk) / 100));
  return { form, options };
}

// A question keeps its key until it is answered: asked again after a failure, it is recorded once.
function keyOf(form) {
  const words = JSON.stringify([...form].filter(([name]) => name !== "image"));
  if (state.unanswered?.picture !== state.picture || state.unanswered.words !== words) {
    const random = crypto.getRandomValues(new Uint8Array(16));
    const key = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    state.unanswered = { picture: state.picture, words, key };
  }
  return state.unanswered.key;
}

async function ask(event) {
  event.preventDefault();
  const { form, options, fault, at } = collect();
  if (fault) { showProblem(fault); at.focus(); return; }
  setOptions(options.length ? options : []);
  hideProblem();
  const asking = new AbortController();
  state.asking = asking;
  busy(true);
  try {
    const headers = { "Idempotency-Key": keyOf(form) };
    const response = await fetch("/vqa", { method: "POST", headers, body: form, signal: asking.signal });
    const body = await response.json().catch(() => null);
    if (response.ok && body) {
      state.unanswered = null;
      showReply(body);
    } else showProblem(describe(response, body));
  } catch (error) {
    if (error.name === "AbortError") say("Cancelled.");
    else showProblem("The gateway could not be reached. Is it running? What is asked again is recorded once.");
  } finally {
    busy(false);
  }
}

function describe(response, body) {
  if (response.status === 401) return "Your key is not taken any more. Sign in again at /sign-in in another tab, then ask once more.";
  const what = body?.detail ?? body?.title ?? `The gateway replied with status ${response.status}.`;
  const later = response.headers.get("Retry-After");
  return later ? `${what} (Try again in ${later} s.)` : what;
}

function busy(on) {
  by("submit").disabled = on;
  by("submit").textContent = on ? "Asking…" : "Ask";
  by("cancel").hidden = !on;
  by("result").setAttribute("aria-busy", String(on));
  if (on) say("Asking the models.");
}

function say(text) { by("status").textContent = text; }

function showProblem(text) {
  by("problem").textContent = text;
  by("problem").hidden = false;
}

function hideProblem() { by("problem").hidden = true; }

// ---- Reply -------------------------------------------------------------------------------------------------------

const WITHOUT = {
  policy: "The guidance model is away: the question was asked without guidance.",
  logprobs: "The model's server reports no probabilities: the confidence rests on what the model stated alone.",
  decoding: "The model's server takes no settings of sampling: its text was sampled in another way than asked for.",
  "system-message": "The model's server takes no system message: it was put at the head of the question.",
  "response-format": "The model's server cannot be held to a form of reply: it was asked for in words alone.",
  seed: "The model's server takes no seed: the same question may get another text.",
  calibrator: "No calibrator fits these models: the confidence is the model's own statement.",
  "calibration-alarm": "Reviews show that the confidence of these models no longer holds: see the calibration page.",
};

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

function showConfidence(reply) {
  const { calibrated, stated_confidence: stated, fitted_on: fitted, reason } = reply.calibration;
  const bars = [];
  if (reply.confidence !== null) {
    bars.push(calibrated ? bar("Calibrated", reply.confidence, "calibrated")
      : bar("Not calibrated: as the model stated it", reply.confidence, "uncalibrated"));
  }
  if (calibrated) bars.push(bar("Stated by the model", stated, "stated"));
  by("bars").replaceChildren(...bars);
  by("calibration").textContent = calibrated
    ? `Corrected by ${reply.calibration.calibrator}, fitted on ${fitted.n} answers of ${fitted.dataset} (${fitted.date}).`
    : `Not calibrated: ${reply.atypicality?.beyond && stated !== null ? "the correction was checked on other questions" : reason}.`;
}

function showText(id, text, otherwise) {
  by(id).textContent = text || otherwise;
  by(id).classList.toggle("none", !text);
}

function showReply(reply) {
  const { answer, decision, models, timing_ms: timing } = reply;
  by("answer").textContent = answer ? (answer.letter ? `${answer.letter}. ${answer.text}` : answer.text) : "No answer could be read";
  const given = decision === "answer";
  by("decision").textContent = given ? "Confident enough to answer" : "Leave this one to a person";
  by("decision").className = `decision ${given ? "answered" : "deferred"}`;
  const strange = reply.atypicality?.beyond ? reply.atypicality.reason : "";
  by("unusual").textContent = strange && `Unusual question: ${strange}.`;
  by("unusual").hidden = !strange;
  by("basis").textContent = reply.decision_basis.code === "atypical-input" ? "" : reply.decision_basis.reason;
  const set = reply.option_set;
  by("options-left").textContent = set ? `Options left: ${set.letters.join(", ")}. ${set.reason}` : "";
  by("options-left").hidden = !set;
  showConfidence(reply);
  by("degraded").replaceChildren(...reply.degraded.map((name) => element("div", { text: WITHOUT[name] ?? `Done without: ${name}` })));
  by("degraded").hidden = reply.degraded.length === 0;
  showText("guidance", reply.guidance_prompt, "none was used");
  showText("explanation", reply.explanation, "nothing");
  const by_whom = [models.downstream, models.policy].filter(Boolean).join(", guided by ");
  by("facts").textContent = `${by_whom} · ${Math.round(timing.total)} ms (guidance ${Math.round(timing.policy)}, answer ${Math.round(timing.downstream)}) · ${reply.id}`;
  by("waiting").hidden = true;
  by("result").hidden = false;
  by("result").focus({ preventScroll: true });
  by("result").scrollIntoView({ block: "nearest" });
  say(`${by("answer").textContent}. ${by("decision").textContent}.`);
}

// ---- Start -------------------------------------------------------------------------------------------------------

async function showAbout() {
  const response = await fetch("/v1/about");
  if (!response.ok) return;
  const about = await response.json();
  by("notice").textContent = about.notice;
  state.limits = about.limits;
  by("sign-out").hidden = about.signed_in === null;
  by("signed-in").textContent = about.signed_in;
  by("method").replaceChildren(...Object.entries(about.methods).map(([name, summary]) => {
    const choice = element("option", { value: name, text: `${name}: ${summary}` });
    choice.selected = name === about.default_method;
    return choice;
  }));
}

setOptions(Array(START_OPTIONS).fill(""));
watchPictures();
by("ask").addEventListener("submit", ask);
by("add-option").addEventListener("click", () => addOption().focus());
by("cancel").addEventListener("click", () => state.asking?.abort());
await Promise.allSettled([showAbout(), showSamples()]);
document.documentElement.dataset.ready = "true";
