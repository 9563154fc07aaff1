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
  document.addEventListener("input", (event) => entered(event.target));
  document.addEventListener("change", (event) => ticked(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.matches("textarea.value")) return;
    if (event.shiftKey || event.altKey) return; // a new line
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
    if (give && !give.disabled) give.checked = true;
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
  const [go, stop] = [form.querySelector(".go"), form.querySelector(".stop")];
  const [took, result] = [form.querySelector(".took"), form.querySelector(".result")];
  if (go.disabled) return;
  const stopping = new AbortController();
  const stopped = () => stopping.abort();
  const began = performance.now();
  const ticking = setInterval(() => (took.textContent = seconds(performance.now() - began)), 100);
  for (const field of form.querySelectorAll(".field")) complain(field, "");
  go.disabled = true;
  stop.hidden = false;
  stop.addEventListener("click", stopped);
  result.setAttribute("aria-busy", "true");
  try {
    const params = await parameters(form);
    took.textContent = "";
    const begin = performance.now();
    const answer = await ask(url, form.dataset.method, params, stopping.signal);
    took.textContent = seconds(performance.now() - begin);
    if (answer.error === undefined) value(result, answer.result);
    else failed(form, result, answer.error);
  } catch (error) {
    took.textContent = "";
    result.hidden = true;
    if (error instanceof Wrong) refuse(error.field, error.message);
    else failure(result, sentence(error, stopping.signal.aborted));
  } finally {
    clearInterval(ticking);
    stop.removeEventListener("click", stopped);
    stop.hidden = true;
    go.disabled = false;
    result.removeAttribute("aria-busy");
  }
}

/** Ask the service; `params` is JSON already. */
async function ask(url, method, params, signal) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"jsonrpc":"2.0","id":${++sent},"method":${method},"params":${params}}`,
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
    signal,
  });
  const text = await response.text();
  const answer = decoded(text);
  if (answer !== null && typeof answer === "object" && ("result" in answer || "error" in answer)) return answer;
  const told = text.trim().slice(0, 500);
  return { error: { message: `The service has answered ${response.status}${told ? `: ${told}` : "."}` } };
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

function sentence(error, stopped) {
  if (stopped) return { message: "It was stopped. The method may have run all the same.", data: { type: "Stopped" } };
  if (error instanceof TypeError) return { message: "The service cannot be reached.", data: { type: "No answer" } };
  return { message: String(error) };
}

function seconds(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
