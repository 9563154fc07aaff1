// What was entered, as JSON. Numbers stay the text that they were written as: a float of JavaScript would round them.

const INT = /^[+-]?\d+$/;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const PIECE = 0x8000; // bytes that one call of String.fromCharCode takes

/** Something that was entered cannot be sent; `field` is where. */
export class Wrong extends Error {
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

/** The parameters of a form as the text of a JSON list or object: JSON-RPC has one or the other, and not both. */
export async function parameters(form) {
  const entered = [];
  for (const field of fieldsOf(form)) {
    const value = await valueOf(field);
    const empty = field.dataset.spread !== undefined && value !== undefined && /^.\s*.$/.test(value);
    entered.push({ field, value: empty ? undefined : value });
  }
  const listed = entered.some(({ field, value }) => value !== undefined && field.dataset.place === "list");
  return listed ? asList(entered) : asNames(entered);
}

function asNames(entered) {
  const given = [];
  for (const { field, value } of entered) {
    if (value === undefined) continue;
    given.push(field.dataset.spread === undefined ? `${field.dataset.name}:${value}` : value.slice(1, -1));
  }
  return `{${given.join(",")}}`;
}

function asList(entered) {
  const given = [];
  let left = null;
  for (const { field, value } of entered) {
    if (field.dataset.place === "names") {
      if (value !== undefined) throw new Wrong(field, "JSON-RPC cannot give this one beside those that have no name");
    } else if (value === undefined) {
      left ??= field;
    } else if (left !== null) {
      throw new Wrong(left, "give this one too: what follows it is given, and a list has no gaps");
    } else {
      given.push(field.dataset.spread === undefined ? value : value.slice(1, -1));
    }
  }
  return `[${given.join(",")}]`;
}

async function record(fieldset) {
  const entered = [];
  for (const field of fieldsOf(fieldset)) entered.push({ field, value: await valueOf(field) });
  return asNames(entered);
}

/** The fields that are directly inside. */
function fieldsOf(parent) {
  return [...parent.children].filter((child) => child.matches(".field"));
}

/** The JSON of a field; undefined if it is left out. */
async function valueOf(field) {
  const give = field.querySelector(":scope > .head > .give, :scope > legend > .give");
  if (give && !give.checked) return undefined;
  if (field.querySelector(":scope > .head .null, :scope > legend .null")?.checked) return "null";
  if (field.dataset.kind === "record") return record(field);
  const text = entryOf(field).value;
  if (field.dataset.kind === "choice") return text === "" ? undefined : text;
  return READERS[field.dataset.kind](text, field);
}

/** Where the value of a field is entered. */
export function entryOf(field) {
  return field.querySelector(field.matches("fieldset") ? ":scope > .field .value" : ".value");
}

const READERS = {
  int(text, field) {
    const plain = text.trim().replace(/(?<=\d)[_ ](?=\d)/g, "");
    if (!INT.test(plain)) throw new Wrong(field, `expected a whole number${written(text)}`);
    return plain.replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1");
  },
  float(text, field) {
    const plain = text.trim();
    if (NUMBER.test(plain)) return plain;
    if (plain === "" || !Number.isFinite(Number(plain))) throw new Wrong(field, `expected a number${written(text)}`);
    return String(Number(plain));
  },
  str: (text) => JSON.stringify(text),
  date: (text, field) => filled(text, field, "a date"),
  time: (text, field) => filled(text, field, "a time"),
  json(text, field) {
    const plain = text.trim();
    try {
      JSON.parse(plain);
    } catch (error) {
      throw new Wrong(field, plain === "" ? "expected JSON" : `this is no JSON: ${error.message}`);
    }
    const opens = { list: "[", names: "{" }[field.dataset.spread] ?? plain[0];
    if (plain[0] !== opens) throw new Wrong(field, opens === "[" ? "expected a list: [...]" : "expected names: {...}");
    return plain;
  },
  any(text) {
    try {
      JSON.parse(text);
      return text.trim();
    } catch {
      return JSON.stringify(text);
    }
  },
  async bytes(text, field) {
    const file = field.querySelector(".file").files[0];
    if (file) return JSON.stringify(base64(new Uint8Array(await file.arrayBuffer())));
    if (field.querySelector(".coding").value === "text") return JSON.stringify(base64(new TextEncoder().encode(text)));
    const plain = text.replace(/\s+/g, "");
    try {
      atob(plain);
    } catch {
      throw new Wrong(field, "this is no base64");
    }
    return JSON.stringify(plain);
  },
};

function filled(text, field, what) {
  if (text === "") throw new Wrong(field, `expected ${what}`);
  return JSON.stringify(text);
}

function written(text) {
  const plain = text.trim();
  return plain === "" ? "" : `, got ${JSON.stringify(plain.length > 40 ? `${plain.slice(0, 40)}…` : plain)}`;
}

function base64(bytes) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += PIECE) {
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + PIECE)));
  }
  return btoa(pieces.join(""));
}
