import { tell } from "./tell.js";
import { localTimes } from "./times.js";

const EVERY = 2000;
/** Of the time, what looking may take: a page of a thousand plugins is much work for the daemon and for the browser. */
const SHARE = 0.1;
/** As the server wrote them: what is shown may have been changed by scripts.
 * @type {Map<string, string>} */
const written = new Map();

/** Look at the page again while somebody sees it, and replace what has changed of its live parts. */
export function keepLive() {
  const parts = liveParts(document);
  if (!parts.size) return;
  for (const [name, element] of parts) written.set(name, element.innerHTML);
  void lookOn();
}

async function lookOn() {
  for (let wait = EVERY; ; ) {
    await new Promise((go) => setTimeout(go, wait));
    const began = performance.now();
    if (document.visibilityState === "visible") await refresh();
    wait = Math.max(EVERY, (performance.now() - began) / SHARE);
  }
}

let running = false;
/** Looks in a row that found nobody. */
let misses = 0;

/** Look now. */
export async function refresh() {
  if (running || !written.size) return;
  running = true;
  try {
    const answer = await fetch(location.href, { headers: { "X-Console-Live": "1" }, signal: AbortSignal.timeout(10_000) });
    // The session is over, or the plugin is gone: the page itself says so.
    if (answer.status === 401 || answer.status === 404) return location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
    replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (misses > 1) tell("The daemon answers again.", "good", 4);
    misses = 0;
  } catch {
    misses += 1;
    if (misses === 2) tell("The daemon does not answer; what is shown may be old.", "bad");
  } finally {
    running = false;
  }
}

/** @param {ParentNode} root */
function liveParts(root) {
  return new Map([...root.querySelectorAll("[data-live]")].map((element) => [element.dataset.live, element]));
}

/** @param {Document} page */
function replace(page) {
  const fresh = liveParts(page);
  const shown = liveParts(document);
  if ([...fresh.keys()].join("\n") !== [...shown.keys()].join("\n")) {
    // Something has come or gone: everything is drawn anew.
    if (!isFilledIn()) location.reload();
    return;
  }
  for (const [name, element] of shown) {
    const html = fresh.get(name).innerHTML;
    if (html === written.get(name) || isInUse(element)) continue;
    written.set(name, html);
    element.replaceChildren(...fresh.get(name).childNodes);
    localTimes(element);
  }
}

/** Whether somebody is at a form, has chosen a file, or waits for what was sent: a new page would take that away. */
function isFilledIn() {
  if (document.activeElement?.closest("main form") || document.querySelector("main [aria-busy=true]")) return true;
  return [...document.querySelectorAll("input[type=file]")].some((input) => input.files.length);
}

/**
 * Whether replacing it would take something out of somebody's hands.
 * @param {Element} element
 */
function isInUse(element) {
  return element.contains(document.activeElement) || element.querySelector("[aria-busy=true], details[open]") !== null;
}
