// The page: a picture, a question and options go to /vqa; the reply is shown beside them. No library, no build step.

import { changed, watchAsking } from "./asking.js";
import { by, element } from "./dom.js";
import { watchEarlier } from "./earlier.js";
import { offerGroups, watchKnown } from "./known.js";
import { chosenPercent } from "./numbers.js";
import { NO_OPTIONS, setOptions, watchOptions } from "./options.js";
import { watchPictures } from "./picture.js";
import { state } from "./state.js";
import { watchViewer } from "./viewer.js";

async function showAbout() {
  const response = await fetch("/v1/about");
  if (!response.ok) return;
  const about = await response.json();
  state.about = about;
  by("notice").textContent = about.notice;
  by("sign-out").hidden = about.signed_in === null;
  by("signed-in").textContent = about.signed_in;
  if (about.max_risk !== null) by("risk-default").textContent = `(empty: ${chosenPercent(about.max_risk)})`;
  offerGroups(about.groups);
  by("method").replaceChildren(...Object.entries(about.methods).map(([name, summary]) => {
    const choice = element("option", { value: name, text: `${name}: ${summary}` });
    choice.selected = name === about.default_method;
    return choice;
  }));
}

by("unstarted").remove();
setOptions(NO_OPTIONS);
watchOptions();
watchKnown();
watchAsking();
watchEarlier();
watchViewer();
await Promise.allSettled([showAbout(), watchPictures(changed)]);
document.documentElement.dataset.ready = "true";
