"use strict";
{
  // Comfort only: hides what does not hold the words that are searched for. Everything is on the page without it.
  const label = document.createElement("label");
  const find = document.createElement("input");
  const found = document.createElement("output");
  find.type = "search";
  find.id = "find";
  find.autocomplete = "off";
  find.spellcheck = false;
  find.placeholder = "name, word, owner, tag";
  label.append("Search ", find);
  document.getElementById("tools").append(label, found);
  const rows = new Map([...document.querySelectorAll(".catalog tbody tr")].map((row) => [row.dataset.of, row]));
  const entries = [...document.querySelectorAll(".entry")].map((entry) => {
    const row = rows.get(entry.id);
    const columns = [...entry.querySelectorAll("tbody tr, details .more")].map((line) => [line, line.textContent.toLowerCase()]);
    const head = [...entry.children].filter((part) => part.localName !== "details");
    const text = [row, ...head].map((part) => (part ? part.textContent : "")).join(" ").toLowerCase();
    return { entry, row, columns, text, details: entry.querySelector("details") };
  });
  const search = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const holds = (text) => words.every((word) => text.includes(word));
    let datasets = 0;
    let lines = 0;
    for (const { entry, row, columns, text, details } of entries) {
      const whole = holds(text);
      let some = 0;
      for (const [line, said] of columns) {
        const hit = holds(said);
        line.hidden = words.length > 0 && !hit && !whole;
        some += words.length > 0 && hit ? 1 : 0;
      }
      const hit = whole || some > 0;
      entry.hidden = !hit;
      if (row) row.hidden = !hit;
      if (details) details.open = some > 0;
      datasets += hit ? 1 : 0;
      lines += some;
    }
    found.textContent = words.length ? datasets + " of " + entries.length + " datasets, " + lines + " columns" : "";
  };
  find.addEventListener("input", search);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== find) { event.preventDefault(); find.focus(); }
    if (event.key === "Escape" && document.activeElement === find) { find.value = ""; search(); }
  });
}
