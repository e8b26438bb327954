// Times come as the server has them; here they become the reader's own.

const DAY_MS = 86_400_000;

function label(moment, language) {
  const recent = Date.now() - moment < DAY_MS / 2;
  const style = recent ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };

  return new Intl.DateTimeFormat(language || undefined, style).format(moment);
}

/** Rewrite the times below `root` that have not been. */
export function localTimes(root) {
  for (const time of root.querySelectorAll("time.cs-time:not([data-local])")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;

    time.dataset.local = "";
    time.textContent = label(moment, time.closest("[lang]")?.lang);
  }
}
