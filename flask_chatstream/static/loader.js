// Loads our htmx where the host has none, never over the host's own: two copies on one page fire
// every button twice. The script comes out of a <template>, so no Trusted Types policy is needed.

(() => {
  const CONFIG = { history: false, historyEnabled: false, includeIndicatorCSS: false };
  const other = 'script[src*="htmx"]:not([data-chatstream-htmx])';

  function configure() {
    if (document.querySelector('meta[name="htmx-config"]')) return;

    const meta = document.createElement("meta");
    meta.name = "htmx-config";
    meta.content = JSON.stringify(CONFIG);
    document.head.append(meta);
  }

  function load() {
    const template = document.querySelector("template.cs-htmx");
    const loaded = document.querySelector("script[data-chatstream-htmx]");
    if (window.htmx || loaded || !template) return;

    configure();
    document.head.append(template.content.cloneNode(true));
  }

  function ready() {
    if (window.htmx) return;

    const late = document.querySelector(other) && document.readyState !== "complete";
    if (late) window.addEventListener("load", load, { once: true });
    else load();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
})();
