// What came of a call, as text with a little colour.

import { Exactly } from "./exactly.js";

// Of a value, no more is shown: a page of a million pieces would stand still.
const PIECES = 20000;
const LONGEST = 200000; // characters of one text
const DEEPEST = 80; // characters that a line is moved in

/** Show a value; `what` it is, in a word or two. */
export function value(place, found, what = kindOf(found)) {
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  let [count, cut] = [0, false];
  for (const [kind, piece] of written(found)) {
    if (++count > PIECES) cut = true;
    if (cut) break;
    cut = piece.length > LONGEST;
    pre.append(part(kind, cut ? piece.slice(0, LONGEST) : piece));
  }
  const inside = [pre];
  if (cut) {
    inside.push(document.createElement("p"));
    inside[1].className = "note";
    inside[1].textContent = "This is its beginning. Copy gives all of it.";
  }
  fill(place, false, what, () => plain(found), inside);
}

/** Show an error of JSON-RPC: {message, code, data}. */
export function failure(place, told) {
  const error = typeof told === "string" ? { message: told } : told;
  const data = error.data !== null && typeof error.data === "object" ? error.data : {};
  const type = typeof data.type === "string" ? data.type.replace(/^(builtins|elsewhere\.errors)\./, "") : "";
  const message = plain(error.message ?? "");
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.textContent = message.slice(0, LONGEST);
  const inside = [pre];
  const { traceback, type: _, message: __, kind: ___, data: more, ...others } = data;
  if (typeof traceback === "string") inside.push(folded("Traceback", traceback));
  const rest = data instanceof Exactly || Array.isArray(data) ? data : more ?? others;
  if (typeof error.data === "string") inside.push(folded("Data", error.data));
  else if (Object.keys(rest ?? {}).length > 0) inside.push(folded("Data", plain(rest)));
  const code = error.code === undefined ? "" : ` ${plain(error.code)}`;
  fill(place, true, type || `Error${code}`, () => (typeof traceback === "string" ? traceback : message), inside);
}

function fill(place, failed, what, text, inside) {
  const tools = document.createElement("div");
  tools.className = "tools";
  const label = part("what", what);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", () => copied(button, text()));
  tools.append(label, button);
  place.classList.toggle("failed", failed);
  place.replaceChildren(tools, ...inside);
  place.hidden = false;
}

async function copied(button, text) {
  button.textContent = (await copy(text)) ? "Copied" : "Not copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // There is no such clipboard where a page came from afar without TLS; the old way still works there.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function folded(title, text) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const pre = document.createElement("pre");
  summary.textContent = title;
  pre.textContent = text;
  details.append(summary, pre);
  return details;
}

function part(kind, text) {
  const span = document.createElement("span");
  span.className = kind;
  span.textContent = text;
  return span;
}

function kindOf(found) {
  if (found === null) return "None";
  if (Array.isArray(found)) return `List of ${found.length.toLocaleString("en")}`;
  if (found instanceof Exactly) return "Number";
  if (typeof found === "object") return `Map of ${Object.keys(found).length.toLocaleString("en")}`;
  return { string: "Text", number: "Number", boolean: "Boolean" }[typeof found];
}

/** All of a value as JSON; of a text alone, the text. */
function plain(found) {
  if (typeof found === "string") return found;
  const pieces = [];
  for (const [, piece] of written(found)) pieces.push(piece);
  return pieces.join("");
}

/** Kind and text of each piece of a value: an explicit stack, as values may be nested deeper than calls can be. */
function* written(found) {
  if (typeof found === "string") {
    yield ["text", found];
    return;
  }
  const stack = [{ found, before: "", indent: "" }];
  while (stack.length > 0) {
    const { found: at, before, indent, text } = stack.pop();
    if (text !== undefined) {
      yield ["mark", text];
      continue;
    }
    if (before) yield ["mark", before];
    if (at instanceof Pair) {
      yield ["key", JSON.stringify(at.key)];
      yield ["mark", ": "];
      stack.push({ found: at.value, before: "", indent });
    } else if (at === null || typeof at === "boolean") yield ["word", String(at)];
    else if (at instanceof Exactly) yield ["number", at.source];
    else if (typeof at === "number") yield ["number", String(at)];
    else if (typeof at === "string") yield ["string", JSON.stringify(at)];
    else {
      const listed = Array.isArray(at);
      const items = listed ? at : Object.entries(at).map(([key, each]) => new Pair(key, each));
      const [open, close] = listed ? "[]" : "{}";
      if (items.length === 0) {
        yield ["mark", open + close];
        continue;
      }
      yield ["mark", open];
      const inner = indent.length < DEEPEST ? `${indent}  ` : indent;
      stack.push({ text: `\n${indent}${close}` });
      for (let index = items.length - 1; index >= 0; index -= 1) {
        stack.push({ found: items[index], before: `${index > 0 ? "," : ""}\n${inner}`, indent: inner });
      }
    }
  }
}

class Pair {
  constructor(key, value) {
    this.key = key;
    this.value = value;
  }
}
