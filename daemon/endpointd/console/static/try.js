/** Let *Try it* show the answer as it comes. */
export function watchTries() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !("try" in form.dataset)) return;
    event.preventDefault();
    if (form.ariaBusy !== "true") void attempt(form);
  });
}

/** @param {HTMLFormElement} form */
async function attempt(form) {
  const answer = new Answer(form);
  const cancelling = new AbortController();
  const cancel = form.querySelector("[data-cancel]");
  const send = form.querySelector(".buttons button");
  cancel.hidden = false;
  cancel.onclick = () => cancelling.abort();
  form.ariaBusy = "true";
  send.ariaBusy = "true";
  try {
    const body = new URLSearchParams(new FormData(form));
    const headers = { Accept: "application/x-ndjson, application/json" };
    const response = await fetch(form.action, { method: "POST", body, headers, signal: cancelling.signal });
    if (response.status === 401) return location.reload();
    if (!response.ok) answer.hear({ kind: "fault", text: (await response.json()).error });
    else for await (const event of events(response.body)) answer.hear(event);
    answer.finish();
  } catch (error) {
    answer.hear({ kind: "fault", text: error.name === "AbortError" ? "cancelled" : "the connection to the daemon broke" });
  } finally {
    if (document.activeElement === cancel) send.focus();
    cancel.hidden = true;
    form.ariaBusy = null;
    send.ariaBusy = null;
  }
}

/** @param {ReadableStream<Uint8Array>} stream */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

/** The place below a form where its answer is shown. */
class Answer {
  /** @param {HTMLFormElement} form */
  constructor(form) {
    const place = form.querySelector(".answer");
    place.hidden = false;
    this.line = place.querySelector(".answer-line");
    this.headers = place.querySelector(".headers");
    this.body = place.querySelector(".answer-body");
    this.line.className = "answer-line";
    this.line.textContent = "Waiting for the answer…";
    this.headers.replaceChildren();
    this.body.textContent = "";
    this.said = "";
    this.bytes = 0;
    this.isOver = false;
  }

  /** @param {Record<string, any>} event */
  hear(event) {
    if (event.kind === "head") this.#head(event);
    else if (event.kind === "data") this.#data(event);
    else if (event.kind === "end") this.#end(`${this.said} · ${size(event.bytes)} in ${seconds(event.seconds)}`);
    else {
      this.line.classList.add("bad");
      this.#end(this.said ? `${this.said} · ${event.text}` : event.text);
    }
  }

  finish() {
    if (!this.isOver) this.hear({ kind: "fault", text: "the answer broke off" });
  }

  #head(event) {
    this.said = `${event.status} ${event.reason}`.trim();
    this.textual = event.textual;
    this.line.textContent = `${this.said} · after ${seconds(event.seconds)}, receiving…`;
    this.line.classList.add(event.status < 400 ? "good" : "bad");
    for (const [name, value] of event.headers) {
      const pair = document.createElement("div");
      pair.append(
        Object.assign(document.createElement("dt"), { textContent: name }),
        Object.assign(document.createElement("dd"), { textContent: value }),
      );
      this.headers.append(pair);
    }
  }

  #data(event) {
    this.bytes += event.bytes;
    if (this.textual) this.body.append(event.text);
    else this.body.textContent = `${size(this.bytes)} that are no text`;
    this.body.scrollTop = this.body.scrollHeight;
  }

  #end(text) {
    this.isOver = true;
    this.line.textContent = text;
  }
}

/** @param {number} bytes */
function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;
}

/** @param {number} time */
function seconds(time) {
  return time < 1 ? `${Math.max(1, Math.round(time * 1000))} ms` : `${time.toFixed(1)} s`;
}
