// The only place where text becomes HTML. Its Trusted Types policy is made at first use, because a
// second copy of this module must not claim the name.

let policy;

function trusted(html) {
  policy ??= globalThis.trustedTypes?.createPolicy("chatstream", { createHTML: (text) => text });

  return policy ? policy.createHTML(html) : html;
}

/** The server's HTML as an inert fragment; nothing in it runs or loads. */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = trusted(html);

  return template.content;
}
