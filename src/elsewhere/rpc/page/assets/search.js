// The search, and the keys: "/" goes to it, Escape empties it, Enter goes to the method that is meant.

/** Let the search show what matches. */
export function begin() {
  const search = document.getElementById("search");
  const none = document.getElementById("none");
  const rows = document.querySelectorAll("tr[data-row]");
  const cards = [...document.querySelectorAll("details.method")].map((card, index) => ({
    card,
    name: card.querySelector("b").textContent.toLowerCase(),
    text: textOf(card),
    row: rows[index],
  }));

  function find() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { card, text, row } of cards) {
      const fits = words.every((word) => text.includes(word));
      card.hidden = row.hidden = !fits;
      found += fits;
    }
    none.hidden = found > 0 || cards.length === 0;
  }

  search.addEventListener("input", find);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = "";
      find();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      const found = cards.filter(({ card }) => !card.hidden);
      const meant = event.key === "Enter" ? best(found, search.value.trim().toLowerCase()) : found[0];
      if (meant === undefined) return;
      event.preventDefault();
      if (event.key === "Enter") meant.card.open = true;
      const entry = event.key === "Enter" ? meant.card.querySelector("form :is(.value, .go):enabled") : null;
      (entry ?? meant.card.querySelector("summary")).focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !event.target.closest("input, textarea, select")) {
      event.preventDefault();
      search.focus();
      search.select();
    }
    const summary = event.target.closest("details.method > summary");
    if (summary && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      step(summary, event.key === "ArrowDown" ? 1 : -1);
    }
  });
  find(); // a reload keeps what was written
}

/** The method that is meant: who has this very name comes before who only speaks of it. */
function best(found, name) {
  const by = (fits) => found.find((each) => fits(each.name));
  return by((each) => each === name) ?? by((each) => each.startsWith(name)) ?? by((each) => each.includes(name)) ?? found[0];
}

/** What a method is found by: its name, its signature and its documentation. */
function textOf(card) {
  const parts = [...card.querySelectorAll(".signature, .first, .doc")];
  return parts.map((each) => each.textContent).join("\n").toLowerCase();
}

/** From one method to the next. */
function step(summary, by) {
  const shown = [...document.querySelectorAll("details.method:not([hidden]) > summary")];
  shown[shown.indexOf(summary) + by]?.focus();
}
