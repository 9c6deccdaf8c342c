
const form = document.getElementById("filter");
const shown = document.getElementById("shown");
const selects = [...form.querySelectorAll("select")];
const rows = [...document.querySelectorAll("#ledger tr[data-verdict]")];
const groups = [...document.querySelectorAll("#ledger tbody")];

function apply() {
  const chosen = selects.filter((select) => select.value);
  for (const row of rows) {
    row.hidden = !chosen.every((select) => row.dataset[select.id] === select.value);
  }
  for (const group of groups) {
    const left = group.querySelector("tr[data-verdict]:not([hidden])");
    group.hidden = chosen.length > 0 && !left;
  }
  shown.value = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims`;
}

// The address holds the choice, so that it can be sent, bookmarked and reloaded.
function remember() {
  apply();
  const chosen = selects.filter((select) => select.value).map((select) => [select.id, select.value]);
  history.replaceState(null, "", chosen.length ? `#${new URLSearchParams(chosen)}` : location.pathname);
}

function restore() {
  const target = document.querySelector(":target");
  if (target && !target.closest("[hidden]")) return;
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const select of selects) {
    select.value = wanted.get(select.id) ?? "";
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  }
  apply();
  target?.scrollIntoView();
}

form.hidden = false;
form.addEventListener("input", remember);
form.addEventListener("reset", () => setTimeout(remember));
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", restore);
apply();
restore();
