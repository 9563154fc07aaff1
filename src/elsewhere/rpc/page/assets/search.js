// The search, and the keys: "/" goes to it, Escape empties it, Enter goes to the first method found.

/** Let the search show what matches. */
export function begin() {
  const search = document.getElementById("search");
  const none = document.getElementById("none");
  const cards = [...document.querySelectorAll("details.method")].map((card, index) => ({
    card,
    text: textOf(card),
    row: document.querySelector(`tr[data-row="${index}"]`),
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
      const first = cards.find(({ card }) => !card.hidden)?.card;
      if (!first) return;
      event.preventDefault();
      first.open ||= event.key === "Enter";
      const entry = event.key === "Enter" ? first.querySelector("form :is(.value, .go):enabled") : null;
      (entry ?? first.querySelector("summary")).focus();
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
