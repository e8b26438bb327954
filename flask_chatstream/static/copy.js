// Copy buttons: one in each code block, one under each answer.

import { toast } from "./toast.js";
import { word } from "./words.js";

const DONE_MS = 1_600;

function textOf(button) {
  if (button.dataset.action === "copy-code") {
    return button.closest(".cs-code").querySelector("pre").innerText.replace(/\n$/, "");
  }

  const content = button.closest(".cs-message").querySelector(".cs-content");
  // What is a control and not text is out of the layout for a moment, so out of innerText too.
  content.classList.add("cs-copying");
  const text = content.innerText.trim();
  content.classList.remove("cs-copying");

  return text;
}

// Plain http has no clipboard interface; the old command works from a selection.
async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);

  const copied = (event) => {
    event.preventDefault();
    event.clipboardData.setData("text/plain", text);
  };
  document.addEventListener("copy", copied, { once: true });
  if (!document.execCommand("copy")) throw new Error("refused");

  return undefined;
}

async function copy(button) {
  try {
    await write(textOf(button));
  } catch {
    toast(button, word("uncopied", button));
    return;
  }

  button.classList.add("cs-done");
  button.closest(".cs-conversation")?.querySelector("chat-stream")?.announce(word("copied", button));
  setTimeout(() => button.classList.remove("cs-done"), DONE_MS);
}

/** Answer clicks on every copy button, now and later. */
export function listenForCopy() {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.('.cs-root [data-action^="copy"]');
    if (button) copy(button);
  });
}
