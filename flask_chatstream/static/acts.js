// Everything a person does goes out through htmx. This adds what every request of ours carries and
// tells the form what came back, in one event for all versions of htmx: `chatstream:answered` with
// `{ status, header(name), text, ok, wait }`; status 0 means that no answer came, `wait` are the seconds
// before which it is no use to try again.

import { parse } from "./trust.js";
import { toast } from "./toast.js";
import { clock, secondsIn } from "./waiting.js";
import { word } from "./words.js";

const MOMENT = 5;

const retried = new WeakSet();

// Forms that went out with what every request of ours carries.
const carried = new WeakSet();

/** Listen on the document for htmx 1.9, 2 and 4 alike. */
export function listenForActs() {
  on("htmx:configRequest", (event) => carry(event.target, event.detail.headers, event.detail));
  on("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    carry(event.target, request.headers, request);
  });

  on("htmx:afterRequest", ({ target, detail: { xhr } }) => {
    answered(target, xhr.status, (name) => xhr.getResponseHeader(name), xhr.responseText);
  });
  on("htmx:after:request", (event) => {
    const { target, detail } = event;
    const { status, headers } = detail.ctx.response;
    answered(target, status, (name) => headers.get(name), detail.ctx.text);
    // htmx 4 parses even an empty answer, which a page with Trusted Types refuses.
    if (target.matches("form")) event.preventDefault();
  });
  on("htmx:error", ({ target, detail: { ctx } }) => {
    if (ctx && !ctx.response) answered(target, 0, () => null, "");
  });

  on("chatstream:answered", finish);
}

function on(name, heard) {
  document.addEventListener(name, (event) => {
    if (event.target.closest?.(".cs-root")) heard(event);
  });
}

function carry(form, headers, request) {
  const { csrfHeader, csrfField, csrfToken } = form.closest(".cs-root").dataset;
  if (csrfHeader && csrfToken) headers[csrfHeader] = csrfToken;
  if (!form.matches("form")) return;

  carried.add(form);

  // htmx 1 and 2 remember the address of when they first saw the form.
  if ("path" in request) request.path = form.getAttribute("action");
  else request.action = form.getAttribute("action");

  const fields = request.body ?? request.parameters;
  const put = (name, value) => {
    if (typeof fields.set === "function") fields.set(name, value);
    else fields[name] = value;
  };
  put("live", "1");
  // Not every site looks into headers, and what came by a stream has no such field.
  if (csrfField && csrfToken) put(csrfField, csrfToken);
}

async function answered(form, status, header, text) {
  if (!form.matches("form")) return;
  if (!carried.has(form) && status) return startOver(form, header);
  if (status === 400 && (await renewed(form, text))) return;

  retried.delete(form);
  // A site's own limits say it in the header alone.
  const wait = problem(text).retryAfter || secondsIn(header("Retry-After"));
  const detail = { status, header, text, ok: status >= 200 && status < 300, wait };
  const event = new CustomEvent("chatstream:answered", { bubbles: true, cancelable: true, detail });
  form.dispatchEvent(event);
}

// htmx sent it before this script had come, and the answer is meant for a page without us.
function startOver(form, header) {
  const page = header("HX-Redirect");
  if (page) return location.assign(page);

  form.reset();
  location.reload();
}

// An expired CSRF token is fetched anew and the act tried again, once.
async function renewed(form, text) {
  if (retried.has(form) || problem(text).code !== "csrf") return false;

  const root = form.closest(".cs-root");
  const response = await fetch(root.dataset.tokenUrl, { cache: "no-store" }).catch(() => null);
  if (!response?.ok) return false;

  const { csrf_token: token } = await response.json();
  root.dataset.csrfToken = token;
  for (const field of root.querySelectorAll(".cs-csrf")) field.value = token;
  retried.add(form);
  form.dataset.again = "";
  form.requestSubmit();
  delete form.dataset.again;

  return true;
}

/** What the server's error fragment says: `{ words, code, retryAfter }`, empty when it is none. */
export function problem(text) {
  const fragment = parse(text ?? "").querySelector(".cs-error");

  return {
    words: fragment?.textContent.trim() ?? "",
    code: fragment?.dataset.code ?? "",
    retryAfter: Number(fragment?.dataset.retryAfter) || 0,
  };
}

/** Why an act failed, in words for the person. */
export function reason(status, text, element) {
  const said = problem(text).words;
  if (said) return said;

  const names = { 0: "unreachable", 401: "signedOut", 403: "signedOut", 413: "tooLong" };

  return word(status === 429 ? "tooMany" : (names[status] ?? "failed"), element);
}

/** The same, with the time that the server wants to be left alone if it is more than a moment. */
export function refusal({ status, text, wait }, element) {
  const words = reason(status, text, element);

  return wait > MOMENT ? `${words} (${clock(wait)})` : words;
}

// Acts on messages: a change goes on to the stream, a refusal to a toast. The composer and the
// sidebar look after their own.
function finish(event) {
  const form = event.target;
  if (event.defaultPrevented) return;

  if (event.detail.ok) form.closest("chat-stream")?.sync();
  else toast(form, refusal(event.detail, form));
}
