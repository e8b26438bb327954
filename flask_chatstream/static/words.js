// What the script says. A host or a translation overrides any of it by `data-words` (JSON) on `.cs-root`.

const ENGLISH = {
  connecting: "Connecting…",
  live: "",
  polling: "Updating every second",
  paused: "Paused while this tab is hidden",
  retrying: "Connection lost. Reconnecting…",
  waiting: "Too many requests at once. Waiting…",
  offline: "You are offline. The answer goes on and will be here when you are back.",
  idle: "",
  gone: "This conversation is no longer available here. Reload the page to go on.",
  generating: "Generating",
  waitingForModel: "Waiting for the model",
  slow: "Taking longer than usual",
  stillWriting: "Still writing",
  completed: "Answer complete",
  cancelled: "Answer stopped",
  error: "Answer failed",
  you: "You",
  assistant: "Assistant",
  unsent: "Not sent",
  send: "Send message",
  stop: "Stop answering",
  retry: "Try again",
  dismiss: "Dismiss",
  copied: "Copied",
  uncopied: "Copying is not possible here",
  unreachable: "The server could not be reached. Your message is kept.",
  signedOut: "You may have been signed out. Your message is kept; reload the page to go on.",
  tooLong: "Your message is too long.",
  tooMany: "Too many messages at once. Try again in a moment.",
  failed: "That did not work. Try again.",
  unavailable: "The chat could not be loaded.",
  openPage: "Open the full page",
  deleteTitle: "Delete this chat?",
  deleteText: "The conversation and its messages will be gone for good.",
  cancel: "Cancel",
  delete: "Delete",
  close: "Close",
  keys: "Keyboard shortcuts",
  keysSend: "Send the message",
  keysLine: "New line",
  keysStop: "Stop the answer",
  keysNew: "New chat",
  keysField: "Go to the message field",
  keysCopy: "Copy the last answer",
  keysPrevious: "Previous message",
  keysNext: "Next message",
  keysHelp: "Show this list",
};

const overrides = new WeakMap();

/** The word called `name`, in the language of the `.cs-root` around `element`. */
export function word(name, element) {
  const root = element?.closest(".cs-root");
  if (!root?.dataset.words) return ENGLISH[name] ?? "";

  if (!overrides.has(root)) overrides.set(root, JSON.parse(root.dataset.words));

  return overrides.get(root)[name] ?? ENGLISH[name] ?? "";
}
