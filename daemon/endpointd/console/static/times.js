const SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/**
 * A moment in the reader's own zone; without its date when it is today.
 * @param {Date} at
 */
export function shown(at) {
  return at.toDateString() === new Date().toDateString() ? SHORT.format(at) : LONG.format(at);
}

/**
 * Write the times below `root` in the reader's own zone.
 * @param {ParentNode} root
 */
export function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    element.title = element.dateTime;
    element.textContent = shown(at);
  }
}
