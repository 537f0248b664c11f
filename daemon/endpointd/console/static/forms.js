import { tell } from "./tell.js";

/** Seconds after which what was sent may be sent again: whoever has stopped the browser gets no other page. */
const PATIENCE = 15;

/** Help with secrets: show what is entered, and keep line breaks of what is pasted. And send nothing twice. */
export function watchForms() {
  document.addEventListener("submit", sendOnce);
  for (const field of document.querySelectorAll('[data-field="secret"]')) addShow(field);
  document.addEventListener("paste", keepLines);
  for (const form of document.querySelectorAll("form[data-upload]")) form.addEventListener("submit", showSending);
}

/**
 * A second click would make a second endpoint. What scripts send by themselves they look after.
 * @param {SubmitEvent} event
 */
function sendOnce(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || "try" in form.dataset) return;
  if ("sent" in form.dataset) return event.preventDefault();
  form.dataset.sent = "";
  const again = () => delete form.dataset.sent;
  setTimeout(again, PATIENCE * 1000);
  addEventListener("pageshow", again, { once: true });
}

/**
 * Sending takes its time, and so does what follows.
 * @param {SubmitEvent} event
 */
function showSending(event) {
  const button = event.target.querySelector("button");
  if (button.ariaBusy === "true") return event.preventDefault();
  button.ariaBusy = "true";
  tell("Sending and installing the package…");
  // Who comes back to the page finds the form as it was.
  addEventListener("pageshow", () => (button.ariaBusy = null), { once: true });
}

/** @param {HTMLElement} field */
function addShow(field) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  label.className = "check";
  label.dataset.show = "";
  label.append(box, " Show what is entered");
  box.addEventListener("change", () => {
    const input = field.querySelector("[name^='settings.']:not([type=hidden], [type=checkbox])");
    if (input instanceof HTMLTextAreaElement) input.classList.toggle("secret", !box.checked);
    else input.type = box.checked ? "text" : "password";
  });
  const input = field.querySelector("input[type=password]");
  input.after(label);
}

/**
 * An input of one line would throw line breaks away, which a key in PEM's form has.
 * @param {ClipboardEvent} event
 */
function keepLines(event) {
  const input = event.target;
  const text = event.clipboardData?.getData("text") ?? "";
  if (!(input instanceof HTMLInputElement) || !input.name.startsWith("settings.") || !text.trimEnd().includes("\n")) return;
  event.preventDefault();
  const area = document.createElement("textarea");
  for (const name of ["id", "name", "required", "aria-describedby", "aria-invalid"]) {
    if (input.hasAttribute(name)) area.setAttribute(name, input.getAttribute(name));
  }
  area.rows = 6;
  area.spellcheck = false;
  area.classList.toggle("secret", input.type === "password");
  area.value = text;
  input.replaceWith(area);
  area.focus();
}
