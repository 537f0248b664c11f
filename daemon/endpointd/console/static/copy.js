import { tell } from "./tell.js";

/** Let buttons copy the text of the element that they name. */
export function watchCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const copied = await copy(source);
    tell(copied ? "Copied." : "The browser does not let pages copy here; the text is selected.", copied ? "good" : "bad", 4);
  });
}

/**
 * @param {HTMLElement} source
 * @returns {Promise<boolean>}
 */
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    // Over plain HTTP from another machine there is no clipboard of that kind.
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}
