// Elements of the document. Everything that comes from outside enters it as text, never as markup.

export const by = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// What somebody wrote, within the page's own words: Arabic and Hebrew are read from the right, and what stands around them is not.
export const written = (text) => element("bdi", { text });
export const lettered = ({ letter, text }) => [letter ? `${letter}. ` : "", written(text)];

// For screen readers, beside what the page shows.
export function say(text) { by("status").textContent = text; }
