// Forms call methods by JSON-RPC, and show what came of it.

import { decoded } from "./exactly.js";
import { failure, value } from "./results.js";
import { Wrong, entryOf, parameters } from "./values.js";

let sent = 0;

/** Let every form call `url`; `after` is called when a call has ended. */
export function begin(url, after) {
  document.addEventListener("submit", (event) => {
    event.preventDefault();
    run(event.target, url).finally(after);
  });
  document.addEventListener("click", (event) => {
    if (event.target.matches("form .curl")) command(event.target.form, url);
  });
  document.addEventListener("input", (event) => entered(event.target));
  document.addEventListener("change", (event) => ticked(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.matches("textarea.value")) return;
    if (event.shiftKey || event.altKey || matchMedia("(pointer: coarse)").matches) return; // a new line
    event.preventDefault();
    event.target.form.requestSubmit();
  });
}

/** Who writes into a field wants it to be sent. */
function entered(target) {
  const field = target.closest(".field");
  if (!field || target.type === "checkbox") return;
  for (let at = field; at; at = at.parentElement.closest(".field")) {
    const give = box(at, "give");
    if (give) give.checked = true;
  }
  if (field.dataset.kind === "bytes") onlyOne(field, target);
  complain(field, "");
}

/** Bytes come from a file, or from what was written: the later of the two. */
function onlyOne(field, target) {
  if (target.matches(".file")) entryOf(field).value = "";
  else if (target.matches(".value")) field.querySelector(".file").value = "";
}

function ticked(target) {
  const field = target.closest(".field");
  if (!field || target.type !== "checkbox") return;
  if (target.matches(".null") && target.checked && box(field, "give")) box(field, "give").checked = true;
  if (target.matches(".null")) disable(field, target.checked);
  complain(field, "");
}

/** A box of the field's own: "give" or "null". */
function box(field, name) {
  return field.querySelector(`:scope > .head .${name}, :scope > legend .${name}`);
}

/** Who says None enters nothing. */
function disable(field, none) {
  if (field.matches("fieldset")) field.disabled = none; // its legend, where the box is, stays enabled
  else for (const entry of field.querySelectorAll(".value, .coding, .file")) entry.disabled = none;
}

/** Say what is wrong with a field; "" for nothing. */
function complain(field, message) {
  field.querySelector(":scope > .problem").textContent = message;
  const entry = entryOf(field);
  if (message) entry?.setAttribute("aria-invalid", "true");
  else entry?.removeAttribute("aria-invalid");
}

/** Show what is wrong with a field, and go there. */
function refuse(field, message) {
  complain(field, message);
  entryOf(field)?.focus();
}

// ---- a call ----

async function run(form, url) {
  const [go, stop, took, result] = ["go", "stop", "took", "result"].map((name) => form.querySelector(`.${name}`));
  if (go.disabled) return;
  const params = await entries(form);
  if (params === null) return;
  const stopping = new AbortController();
  const stopped = () => stopping.abort();
  const began = performance.now();
  const tick = () => (took.textContent = seconds(performance.now() - began));
  const ticking = setInterval(tick, 100);
  go.disabled = true;
  stop.hidden = false;
  stop.addEventListener("click", stopped);
  result.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(url, body(form, params), stopping.signal);
    tick();
    if (answer.error) failed(form, result, answer.error);
    else value(result, answer.result);
  } finally {
    clearInterval(ticking);
    stop.removeEventListener("click", stopped);
    stop.hidden = true;
    go.disabled = false;
    result.removeAttribute("aria-busy");
  }
}

/** The parameters as JSON; null if something that was entered cannot be sent, which its field then says. */
async function entries(form) {
  for (const field of form.querySelectorAll(".field")) complain(field, "");
  try {
    return await parameters(form);
  } catch (error) {
    form.querySelector(".result").hidden = true;
    form.querySelector(".took").textContent = "";
    if (error instanceof Wrong) refuse(error.field, error.message);
    else failure(form.querySelector(".result"), { message: String(error) }); // a file that cannot be read
    return null;
  }
}

function body(form, params) {
  return `{"jsonrpc":"2.0","id":${++sent},"method":${form.dataset.method},"params":${params}}`;
}

/** What a service answers: {result} or {error}, of which there is one whatever happens. */
async function ask(url, text, signal) {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: text,
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal,
    });
    return understood(response, await response.text());
  } catch {
    if (!signal.aborted) return { error: { message: "The service cannot be reached.", data: { type: "No answer" } } };
    return { error: { message: "It was stopped. The method may have run all the same.", data: { type: "Stopped" } } };
  }
}

function understood(response, text) {
  const answer = decoded(text);
  if (answer !== null && typeof answer === "object" && ("result" in answer || answer.error)) return answer;
  const told = text.trim().slice(0, 500);
  return { error: { message: `The service has answered ${response.status}${told ? `: ${told}` : "."}` } };
}

/** Show the command that does the same in a shell. */
async function command(form, url) {
  const params = await entries(form);
  if (params === null) return;
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const token = document.body.dataset.token === undefined ? [] : ['-H "Authorization: Bearer $ELSEWHERE_TOKEN"'];
  const parts = ["curl", ...token, "-H 'Content-Type: application/json'", "--data-raw", quoted(body(form, params))];
  form.querySelector(".took").textContent = "";
  value(form.querySelector(".result"), [...parts, quoted(new URL(url, location.href).href)].join(" "), "Command");
}

/** Show an error, and the field that it speaks of. */
function failed(form, result, error) {
  failure(result, error);
  const method = JSON.parse(form.dataset.method);
  const message = String(error.message ?? "");
  if (!message.startsWith(`${method}: `)) return;
  const named = message.slice(method.length + 2);
  for (const field of form.querySelectorAll(":scope > .field")) {
    const name = JSON.parse(field.dataset.name);
    if (!named.startsWith(name) || !/^[^:]*: expected /.test(named.slice(name.length))) continue;
    if (/^[\w]/.test(named.slice(name.length))) continue; // of a longer name
    complain(field, named);
  }
}

function seconds(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
