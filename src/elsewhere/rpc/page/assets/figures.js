// The table of figures: asked for each second while the page is seen, and at once after a call.

const PAUSE = 1000; // milliseconds between two looks
const LONGEST = 15000; // ... while the service does not answer

/** Keep the figures of `url` before the eyes; `soon` looks at once. */
export function begin(url) {
  const rows = [...document.querySelectorAll("tr[data-row]")];
  const counts = [...document.querySelectorAll("details.method .count")];
  const state = { pause: PAUSE, timer: 0, looking: false, again: false };

  async function look() {
    clearTimeout(state.timer);
    if (state.looking) {
      state.again = true;
      return;
    }
    state.looking = true;
    state.again = false;
    try {
      const told = await asked(url);
      state.pause = PAUSE;
      say("live", changed(told, rows) ? "The methods have changed: reload this page" : "live");
      told.forEach((each, index) => fill(rows[index], counts[index], each));
      resort();
    } catch (error) {
      state.pause = Math.min(2 * state.pause, LONGEST);
      say("lost", error instanceof Refused ? error.message : "no answer");
    } finally {
      state.looking = false;
    }
    if (!document.hidden) state.timer = setTimeout(look, state.again ? 0 : state.pause);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(state.timer) : look()));
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => order(button.closest("th"), rows));
  }
  look();
  return { soon: look };
}

class Refused extends Error {}

async function asked(url) {
  const response = await fetch(url, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!response.ok) throw new Refused(`the service has answered ${response.status}`);
  return (await response.json()).methods;
}

/** There are other methods than the page shows. */
function changed(told, rows) {
  return told.length !== rows.length || told.some(([name], index) => JSON.parse(rows[index].dataset.name) !== name);
}

function say(state, text) {
  const place = document.getElementById("state");
  if (place.dataset.state === state && place.textContent === text) return; // or it would be read out each second
  place.dataset.state = state;
  place.querySelector(".said").textContent = text;
}

// ---- a row ----

function fill(row, count, [, calls, errors, running, mean, longest]) {
  if (!row) return;
  const shown = { calls: number(calls), errors: number(errors), running: number(running) };
  shown.mean = calls ? time(mean) : "–";
  shown.longest = calls ? time(longest) : "–";
  Object.assign(row.dataset, { calls, errors, running, mean, longest });
  for (const cell of row.cells) {
    const name = cell.dataset.column;
    if (name === undefined) continue;
    const before = cell.textContent;
    cell.toggleAttribute("data-moved", before !== shown[name] && row.dataset.known !== undefined);
    if (before !== shown[name]) cell.textContent = shown[name];
    if (name === "errors") cell.toggleAttribute("data-some", errors > 0);
  }
  row.dataset.known = "";
  const told = calls ? [`${number(calls)} ${calls === 1 ? "call" : "calls"}`] : [];
  count.replaceChildren(told.join(""));
  if (errors) {
    const bad = document.createElement("span");
    bad.className = "errors";
    bad.textContent = ` · ${number(errors)} ${errors === 1 ? "error" : "errors"}`;
    count.append(bad);
  }
}

function number(value) {
  return value.toLocaleString("en");
}

function time(seconds) {
  if (seconds < 1e-3) return `${round(seconds * 1e6)} µs`;
  return seconds < 1 ? `${round(seconds * 1e3)} ms` : `${round(seconds)} s`;
}

function round(value) {
  return value < 10 ? value.toFixed(1) : number(Math.round(value));
}

// ---- the order ----

let sorted = null; // the head of the column that the table is sorted by

function order(head, rows) {
  const up = head.querySelector("button").dataset.sort === "method"; // names begin with a, numbers with the largest
  const before = head.getAttribute("aria-sort");
  const next = before === "none" ? (up ? "ascending" : "descending") : before === "ascending" ? "descending" : "ascending";
  for (const each of head.parentElement.cells) each.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", next);
  sorted = { head, rows };
  resort();
}

/** Put the rows in order again; nothing moves as long as it is right. */
function resort() {
  if (sorted === null) return;
  const { head, rows } = sorted;
  const key = head.querySelector("button").dataset.sort;
  const sign = head.getAttribute("aria-sort") === "ascending" ? 1 : -1;
  const by = (row) => (key === "method" ? row.cells[0].textContent : Number(row.dataset[key] ?? 0));
  const wanted = [...rows].sort((one, other) => {
    const [a, b] = [by(one), by(other)];
    return a === b ? 0 : sign * (a < b ? -1 : 1);
  });
  const body = rows[0]?.parentElement;
  if (wanted.some((row, index) => body.rows[index] !== row)) body.append(...wanted);
}
