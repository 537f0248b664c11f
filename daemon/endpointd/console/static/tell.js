let timer = 0;

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
