// Requests to the server, and the edits that are on their way to it.

export class Failure extends Error {
  constructor(status, body) {
    super(body.detail ?? `the server answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

export async function call(method, path, body) {
  const options = { method, headers: { "X-AlignParts": "1" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/api/${path}`, options);
  } catch {
    throw new Failure(0, { detail: "the server cannot be reached" });
  }
  if (answer.status === 401) location.assign("/login");
  const content = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Failure(answer.status, content);
  return content;
}

// randomUUID is there on the loopback address and behind TLS alone.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return [...bytes].map((byte, at) => ([4, 6, 8, 10].includes(at) ? "-" : "") + byte.toString(16).padStart(2, "0")).join("");
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Sends edits one after another. What has not been acknowledged lies in the browser's storage, under the
// id that the server knows it by, so that nothing is lost or stored twice whatever goes away meanwhile.
export class Outbox {
  constructor(task, seq, told) {
    this.task = task;
    this.seq = seq;
    this.told = told;
    this.key = `alignparts.${task}`;
    this.waiting = JSON.parse(localStorage.getItem(this.key) ?? "[]");
    this.sending = false;
    this.closed = false;
  }

  add(path, content) {
    this.waiting.push({ id: uuid(), path, content });
    this.keep();
    return this.flush();
  }

  keep() {
    if (this.waiting.length) localStorage.setItem(this.key, JSON.stringify(this.waiting));
    else localStorage.removeItem(this.key);
  }

  done() {
    this.waiting.shift();
    this.keep();
  }

  async flush() {
    if (this.sending) return;
    this.sending = true;
    let wait = 500;
    while (this.waiting.length && !this.closed) {
      const next = this.waiting[0];
      this.told.saving(this.waiting.length, wait > 500);
      try {
        const state = await call("POST", `tasks/${this.task}/${next.path}`, { id: next.id, seq: this.seq, ...next.content });
        this.done();
        this.seq = state.seq;
        wait = 500;
        this.told.state(state);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (error.status === 409 && error.body.seq !== undefined) {
          this.seq = error.body.seq; // another tab or a stroke came first
        } else if (error.status === 0 || error.status >= 500 || error.status === 429) {
          this.told.saving(this.waiting.length, true);
          await pause(wait);
          wait = Math.min(wait * 2, 8000);
        } else {
          this.done();
          this.told.refused(error);
        }
      }
    }
    this.sending = false;
    if (!this.closed) this.told.saved();
  }
}
