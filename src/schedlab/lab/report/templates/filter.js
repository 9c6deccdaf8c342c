
const form = document.getElementById("filter");
const [system, verdict, shown] = ["system", "verdict", "shown"].map((id) => document.getElementById(id));
const rows = [...document.querySelectorAll("#ledger tr[data-verdict]")];
const groups = [...document.querySelectorAll("#ledger tbody")];

function apply() {
  for (const row of rows) {
    const fits = (choice, value) => !choice.value || choice.value === value;
    row.hidden = !(fits(system, row.dataset.system) && fits(verdict, row.dataset.verdict));
  }
  const filtered = system.value || verdict.value;
  for (const group of groups) {
    const left = group.querySelector("tr[data-verdict]:not([hidden])");
    group.hidden = Boolean(filtered) && !left;
  }
  shown.value = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims`;
}

form.hidden = false;
form.addEventListener("input", apply);
form.addEventListener("reset", () => setTimeout(apply));
apply();
