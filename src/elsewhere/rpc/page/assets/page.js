// The page: what is entered becomes a call, and the figures move. Text is only ever put in as text.

import { begin as beginCalls } from "./calls.js";
import { begin as beginFigures } from "./figures.js";
import { begin as beginSearch } from "./search.js";

/** Open the method that the address names, as the links of the table do. */
function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  if (named?.matches("details.method")) {
    named.open = true;
    named.scrollIntoView({ block: "start" });
    named.querySelector("summary").focus({ preventScroll: true });
  }
}

const root = document.body.dataset.root;
const figures = beginFigures(`${root}/page/figures.json`);
beginCalls(`${root}/jsonrpc`, figures.soon);
beginSearch();
addEventListener("hashchange", openNamed);
document.addEventListener("click", (event) => {
  const link = event.target.closest("tbody a");
  if (link && link.hash === location.hash) openNamed(); // the address stays as it is, and nothing else would happen
});
if (location.hash) openNamed();
