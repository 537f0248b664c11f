let timer = 0;

/** Let what was said be put away, by a click or by Escape. */
export function watchTold() {
  const silence = () => (document.querySelector("#told").textContent = "");
  document.querySelector("#told").addEventListener("click", silence);
  document.addEventListener("keydown", (event) => event.key === "Escape" && silence());
}

/**
 * Say something at the edge of the page, and to screen readers.
 * @param {string} text
 * @param {"" | "good" | "bad"} tone
 * @param {number} seconds it stays there; 0 until something else is said
 */
export function tell(text, tone = "", seconds = 0) {
  const place = document.querySelector("#told");
  clearTimeout(timer);
  place.className = `told ${tone}`;
  place.textContent = text;
  if (seconds) timer = setTimeout(() => (place.textContent = ""), seconds * 1000);
}
