import { refresh } from "./live.js";
import { tell } from "./tell.js";

const DOING = { start: "Starting", stop: "Stopping", restart: "Restarting", rollback: "Rolling back" };

/** Let the buttons of plugins show what happens, without leaving the page. */
export function watchActions() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.dataset.action) return;
    event.preventDefault();
    const button = form.querySelector("button");
    if (button.ariaBusy !== "true") void act(form, button);
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 */
async function act(form, button) {
  const what = `${DOING[form.dataset.action]} ${form.dataset.plugin}`;
  const began = Date.now();
  // Not disabled: that would take the focus away.
  button.ariaBusy = "true";
  button.ariaDisabled = "true";
  tell(`${what}…`);
  const looking = setInterval(refresh, 500);
  const counting = setInterval(() => tell(`${what}… ${Math.round((Date.now() - began) / 1000)} s`), 5000);
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    const result = await answer.json();
    if (answer.status === 401) return location.reload();
    if (answer.ok) tell(result.text, result.tone, result.tone === "good" ? 8 : 0);
    else tell(result.error, "bad");
  } catch {
    tell(`${what}: the connection to the daemon broke, so the outcome is not known.`, "bad");
  } finally {
    clearInterval(looking);
    clearInterval(counting);
    button.ariaBusy = null;
    button.ariaDisabled = null;
    if (document.activeElement === button) {
      // It may not be there any more when the state is another one.
      const state = document.querySelector("#main");
      button.blur();
      await refresh();
      const same = [...document.querySelectorAll("form[data-action]")].find((one) => one.dataset.plugin === form.dataset.plugin);
      (same?.querySelector("button") ?? state).focus({ preventScroll: true });
    } else {
      await refresh();
    }
  }
}
