// Elements: find them, make them, tell people what goes on.

export const $ = (id) => document.getElementById(id);

/** make("li", {class: "x", onclick: f, "aria-label": "y"}, child, "text") */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export function icon(path, full = false) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(svg.namespaceURI, "path");
  shape.setAttribute("d", path);
  if (full) shape.setAttribute("class", "full");
  svg.append(shape);
  return svg;
}

export function tell(status, text, bad = false) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

export function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
