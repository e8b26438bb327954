// How long a server wants to be left alone: read from its answer, and shown as it runs down.

const LONGEST = 24 * 3600;

/** The seconds in a `Retry-After` header, a number or a date; 0 without one. */
export function secondsIn(header) {
  const value = header?.trim() ?? "";
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;

  // A timer that is set for weeks rings at once.
  return Math.min(LONGEST, Math.max(0, Math.ceil(seconds))) || 0;
}

/** Seconds as `42`, `3:05` or `1:02:03`. */
export function clock(seconds) {
  const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  while (parts.length > 1 && parts[0] === 0) parts.shift();

  return parts.map((part, n) => (n ? String(part).padStart(2, "0") : part)).join(":");
}

/** Call `show(left)` as the seconds run down, at last with "", while `node` is in the page. */
export function countDown(node, seconds, show) {
  const until = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    show(left > 0 ? clock(left) : "");
    if (left > 0 && node.isConnected) setTimeout(tick, 250);
  };
  tick();
}

/** Let nobody press a button before the seconds are over, and say on it how long that is. */
export function holdBack(button, seconds) {
  const label = button.textContent;
  countDown(button, seconds, (left) => {
    button.disabled = left !== "";
    button.textContent = left ? `${label} (${left})` : label;
  });
}
