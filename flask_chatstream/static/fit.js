// A full page inside a host's own template begins below the host's header and ends with the window.

/** Keep `page` as high as the window leaves room for, until `signal` aborts. */
export function fitPage(page, signal) {
  const fit = () => {
    const top = Math.max(0, Math.round(page.getBoundingClientRect().top + scrollY));
    page.style.setProperty("--cs-page-offset", `${top}px`);
  };

  fit();
  addEventListener("resize", fit, { signal });
  addEventListener("load", fit, { signal });
}
