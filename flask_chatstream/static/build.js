// Small pieces of page that the script makes itself. Text goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `element("p", { class: "x", hidden: true }, "text", child)`. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);

  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null));

  return node;
}

/** An icon of the sprite that `_icons.html` puts into the page. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "cs-icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#cs-icon-${name}`);
  svg.append(use);

  return svg;
}
