import { shown } from "./times.js";

const MOST = 1000;

/** Follow the log of the page, if it has one. */
export function followLog() {
  const log = document.querySelector("[data-log]");
  if (!log) return;
  const follow = document.querySelector("#follow");
  const state = document.querySelector("[data-log-state]");
  const toEnd = () => follow.checked && (log.scrollTop = log.scrollHeight);
  let source = null;
  let isOver = false;
  let waiting = [];
  toEnd();
  seenOrNot();
  document.addEventListener("visibilitychange", seenOrNot);
  // Who scrolls back wants to read.
  log.addEventListener("scroll", () => {
    follow.checked = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  });
  follow.addEventListener("change", toEnd);

  /** A browser has six connections to a host for all its tabs: those that nobody sees keep none. Who has scrolled back
   * finds the place again, for which the lines have to stay. */
  function seenOrNot() {
    const isWanted = !isOver && (document.visibilityState === "visible" || !follow.checked);
    if (isWanted && !source) source = open();
    if (isWanted || !source) return;
    source.close();
    source = null;
  }

  function open() {
    const source = new EventSource(log.dataset.log);
    // Whoever comes again gets the newest lines again.
    source.addEventListener("begin", () => {
      waiting = [];
      log.replaceChildren();
      state.textContent = "as it is written";
    });
    source.addEventListener("over", () => {
      isOver = true;
      seenOrNot();
      state.textContent = "it has ended";
    });
    source.addEventListener("error", () => (state.textContent = "the connection broke; trying again"));
    source.addEventListener("message", (event) => {
      if (!waiting.length) requestAnimationFrame(draw);
      waiting.push(JSON.parse(event.data));
    });
    return source;
  }

  function draw() {
    log.append(...waiting.slice(-MOST).flatMap(lines));
    waiting = [];
    while (log.childElementCount > MOST) log.firstElementChild.remove();
    toEnd();
  }
}

/** @param {{at: number, stream: string, text: string, level: string | null, lost: number}} entry */
function lines(entry) {
  const line = document.createElement("div");
  line.className = `line from-${entry.stream} ${(entry.level ?? "").toLowerCase()}`;
  const time = document.createElement("time");
  const at = new Date(entry.at * 1000);
  time.dateTime = time.title = at.toISOString();
  time.textContent = shown(at);
  const text = document.createElement("span");
  text.className = "text";
  if (entry.level) text.append(Object.assign(document.createElement("b"), { textContent: entry.level }), " ");
  text.append(entry.text);
  line.append(time, text);
  if (!entry.lost) return [line];
  const gap = document.createElement("div");
  gap.className = "line gap";
  gap.textContent = `… ${entry.lost} lines came too fast to be shown …`;
  return [gap, line];
}
