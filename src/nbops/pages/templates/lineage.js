"use strict";
{
  // Comfort only: search, zoom, keyboard, and what belongs together. Names are text; nodes are known by number.
  const svg = document.getElementById("drawing");
  const box = svg.parentElement;
  const nodes = [...svg.querySelectorAll("a")];
  const lines = [...svg.querySelectorAll("path")].map((path) => [path, ...path.dataset.e.split(" ").map(Number)]);
  const next = nodes.map(() => []);
  const last = nodes.map(() => []);
  for (const [, from, to] of lines) { next[from].push(to); last[to].push(from); }
  const chosen = document.getElementById("chosen");
  const label = document.createElement("label");
  const find = document.createElement("input");
  const found = document.createElement("output");
  find.type = "search";
  find.id = "find";
  find.autocomplete = "off";
  find.spellcheck = false;
  label.append("Find ", find);
  const tools = document.getElementById("tools");
  tools.append(label, found);
  const button = (text, said, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    if (said) made.setAttribute("aria-label", said);
    made.addEventListener("click", action);
    tools.append(made);
    return made;
  };
  const wide = svg.width.baseVal.value;
  const high = svg.height.baseVal.value;
  let zoom = 1;
  let at = -1;

  const reach = (start, edges) => {
    const seen = new Set([start]);
    for (const node of seen) for (const other of edges[node]) seen.add(other);
    return seen;
  };
  const light = (up, down, lit) => {
    nodes.forEach((node, number) => node.classList.toggle("lit", lit.has(number)));
    for (const [path, from, to] of lines) {
      path.classList.toggle("lit", (up.has(from) && up.has(to)) || (down.has(from) && down.has(to)));
    }
    svg.classList.toggle("folded", lit.size > 0 && fold.getAttribute("aria-pressed") === "true");
  };
  const choose = (number) => {
    at = number;
    nodes.forEach((node, other) => node.classList.toggle("at", other === number));
    const none = new Set();
    if (number < 0) { light(none, none, none); chosen.hidden = true; return; }
    const up = reach(number, last);
    const down = reach(number, next);
    light(up, down, new Set([...up, ...down]));
    const row = document.getElementById("r-" + nodes[number].id);
    chosen.hidden = !row;
    if (!row) return;
    const [title, kind, state, from, to] = [...row.children].map((cell) => [...cell.cloneNode(true).childNodes]);
    const part = (label, content) => {
      const div = document.createElement("div");
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = label;
      dd.append(...content);
      div.append(dt, dd);
      return div;
    };
    const list = document.createElement("dl");
    list.append(part("Chosen", title), part("Kind", kind), part("State", state), part("Comes from", from), part("Leads to", to));
    chosen.replaceChildren(list);
  };
  const size = (factor) => {
    zoom = Math.min(3, Math.max(0.15, factor));
    svg.style.width = Math.round(wide * zoom) + "px";
    svg.style.height = Math.round(high * zoom) + "px";
  };
  const show = (number) => {
    nodes[number].focus({ preventScroll: true });
    nodes[number].scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const search = () => {
    const words = find.value.trim().toLowerCase();
    const hits = nodes.filter((node) => {
      const row = document.getElementById("r-" + node.id);
      const hit = words !== "" && (row ? row.children[0] : node).textContent.toLowerCase().includes(words);
      node.classList.toggle("hit", hit);
      return hit;
    });
    found.textContent = words === "" ? "" : hits.length + " found";
    if (hits.length) hits[0].scrollIntoView({ block: "nearest", inline: "nearest" });
    return hits;
  };
  const arrow = (number, key) => {
    if (key === "ArrowRight") return next[number][0];
    if (key === "ArrowLeft") return last[number][0];
    return number + (key === "ArrowDown" ? 1 : -1);
  };

  svg.addEventListener("click", (event) => {
    const node = event.target.closest("a");
    if (!node) return;
    event.preventDefault();
    const number = nodes.indexOf(node);
    history.replaceState(null, "", "#" + node.id);
    choose(number === at ? -1 : number);
  });
  svg.addEventListener("keydown", (event) => {
    const number = nodes.indexOf(event.target.closest("a"));
    if (event.key === "Escape") choose(-1);
    if (number < 0 || !["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const to = arrow(number, event.key);
    event.preventDefault();
    if (to !== undefined && nodes[to]) show(to);
  });
  find.addEventListener("input", search);
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const hits = search();
    if (hits.length) { choose(nodes.indexOf(hits[0])); show(nodes.indexOf(hits[0])); }
  });
  button("\u2212", "Smaller", () => size(zoom / 1.25));
  button("+", "Larger", () => size(zoom * 1.25));
  button("Whole", "", () => size(Math.min(1, (box.clientWidth - 4) / wide)));
  const fold = button("Only what belongs together", "", () => {
    fold.setAttribute("aria-pressed", String(fold.getAttribute("aria-pressed") !== "true"));
    choose(at);
  });
  fold.setAttribute("aria-pressed", "false");
  button("Clear", "", () => { find.value = ""; search(); choose(-1); });
  const start = () => {
    const number = nodes.findIndex((node) => "#" + node.id === location.hash);
    const there = location.hash.startsWith("#c-") && document.getElementById(location.hash.slice(1));
    if (there) there.open = true;
    if (number >= 0) { choose(number); nodes[number].scrollIntoView({ block: "nearest", inline: "center" }); }
  };
  window.addEventListener("hashchange", start);
  document.documentElement.classList.add("scripted");
  start();
}
