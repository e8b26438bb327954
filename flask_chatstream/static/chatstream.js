// Entry: defines <chat-stream> and <chat-widget>, and listens for what htmx reports. A second mount
// on the same page loads this again from its own URL; the first one serves both.

import { listenForActs } from "./acts.js";
import { listenForCopy } from "./copy.js";
import { listenForKeys } from "./keys.js";
import { listenForSidebar } from "./sidebar.js";
import { ChatStream } from "./stream.js";
import { ChatWidget } from "./widget.js";

if (!customElements.get("chat-stream")) {
  listenForActs();
  listenForCopy();
  listenForKeys();
  listenForSidebar();
  customElements.define("chat-stream", ChatStream);
  customElements.define("chat-widget", ChatWidget);
}
