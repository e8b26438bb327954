// Whether event streams get through to this browser, remembered for its session: behind a proxy that
// holds them back, only one question in a while waits to find out again.

const KEY = "cs:streams-blocked";
const FIRST_MS = 60_000;
const MOST_MS = 15 * 60_000;

// A host may forbid storage; every question then finds out for itself.
function stored(act) {
  try {
    return act(sessionStorage);
  } catch {
    return null;
  }
}

function known() {
  return stored((storage) => JSON.parse(storage.getItem(KEY)));
}

/** Are streams known not to get through, so that there is no use in waiting for one? */
export function streamsBlocked() {
  return Date.now() < (known()?.until ?? 0);
}

/** A stream did not get through: none is tried for a while, longer each time. */
export function noteBlocked() {
  const pause = Math.min(MOST_MS, (known()?.pause ?? FIRST_MS / 2) * 2);
  const value = JSON.stringify({ pause, until: Date.now() + pause });
  stored((storage) => storage.setItem(KEY, value));
}

/** A stream got through. */
export function notePassed() {
  stored((storage) => storage.removeItem(KEY));
}
