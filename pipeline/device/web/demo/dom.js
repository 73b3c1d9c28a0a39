// Elements from code: no text of a user or of a model is ever read as HTML.

export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

// A button that does something.
export function button(text, does, properties = {}) {
  return el("button", { type: "button", onclick: does, ...properties }, text);
}
