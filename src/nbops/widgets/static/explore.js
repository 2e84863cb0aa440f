// nbops.explore(): a run's lineage, a node and its surroundings at a time.

const KINDS = { task: "task", dataset: "dataset", file: "file", host: "connection", column: "column" };
const SEARCH_AFTER = 150; // milliseconds without a letter

function spoken(node) {
  const mark = node.mark ? `, ${node.mark.replaceAll("_", " ")}` : "";
  const hidden = (node.up || 0) + (node.down || 0);
  return `${KINDS[node.kind]} ${node.name}${mark}${hidden ? `, ${hidden} more neighbours` : ""}`;
}

function render({ model, el }) {
  const view = model.get("view");
  const { root, frame, say, done } = mount(el, `Lineage of run ${view.run}`);
  let over = false;
  let look = view.look;
  let current = look.focus; // the node of the drawing that the keyboard is at
  const back = [];

  const search = h("input", {
    type: "search", role: "combobox", "aria-label": "Search tasks, datasets and columns", placeholder: "Search  ( / )",
    "aria-expanded": "false", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
  });
  const list = h("ul", { role: "listbox", "aria-label": "Found", id: uid("found"), class: "nbops-e-found", hidden: true });
  search.setAttribute("aria-controls", list.id);
  const found = h("p", { class: "nbops-w-quiet nbops-e-count" });
  const previous = h("button", { type: "button", disabled: true }, "Back");
  const drawing = h("div", { class: "nbops-w-scroll nbops-e-drawing" });
  const detail = h("div", { class: "nbops-e-detail" });
  const problem = h("p", { class: "nbops-w-wrong", role: "alert", hidden: true });
  root.append(
    h("h3", {}, `Lineage of run ${view.run} `, verdict(view.verdict)),
    h("p", { class: "nbops-w-quiet" }, `${view.size.toLocaleString("en")} tasks, datasets and sources. In the picture: arrow keys go along the lines, Enter opens, Escape goes back, / searches.`),
    h("div", { class: "nbops-w-bar nbops-e-bar" }, previous, h("div", { class: "nbops-e-search" }, search, list), found),
    problem, drawing, detail,
  );

  function focus(key, move) {
    for (const node of drawing.querySelectorAll("[data-key]")) {
      const here = node.dataset.key === key;
      node.setAttribute("tabindex", here ? "0" : "-1");
      if (here && move) {
        node.focus();
        node.scrollIntoView({ block: "nearest", inline: "nearest" });
      }
    }
    current = key;
  }

  /** Bring the chosen node into the middle of the drawing's window; the page itself does not move. */
  function middle() {
    const node = look.nodes.find((one) => one.key === look.focus);
    drawing.scrollLeft = node.x + node.width / 2 - drawing.clientWidth / 2;
    drawing.scrollTop = node.y + node.height / 2 - drawing.clientHeight / 2;
  }

  function draw(move) {
    const lines = look.edges.map((edge) => s("path", { d: edge.path, class: `nbops-e-line${edge.source === look.focus || edge.target === look.focus ? " nbops-e-near" : ""}` }));
    const boxes = look.nodes.map((node) => {
      const here = node.key === look.focus;
      const sign = (amount, x, anchor) => amount > 0 && s("text", { x, y: node.y - 2, "text-anchor": anchor, class: "nbops-e-hidden", "aria-hidden": "true" }, `+${amount}`);
      return s(
        "g",
        {
          role: "button", class: `nbops-e-node nbops-e-${KINDS[node.kind] === undefined ? "file" : node.kind}${here ? " nbops-e-here" : ""}`,
          "data-key": node.key, "data-verdict": TONES[node.mark] || node.mark || null, "aria-label": spoken(node), "aria-pressed": here ? "true" : "false", tabindex: "-1",
          click: () => go(node.key, true),
        },
        s("title", {}, spoken(node)),
        s("rect", { x: node.x, y: node.y, width: node.width, height: node.height, rx: node.kind === "task" ? 15 : 4 }),
        s("text", { x: node.x + node.width / 2, y: node.y + node.height / 2 + 4, "text-anchor": "middle" }, node.label),
        sign(node.up, node.x + 2, "start"),
        sign(node.down, node.x + node.width - 2, "end"),
      );
    });
    drawing.replaceChildren(
      s("svg", { viewBox: `0 0 ${look.width} ${look.height}`, width: look.width, height: look.height, role: "group", "aria-label": "Lineage around what is chosen; the lists below say the same" }, lines, boxes),
    );
    focus(look.focus, move);
    middle();
  }

  function choice(item) {
    if (item.there === false) return h("span", {}, item.name);
    return h("button", { type: "button", class: "nbops-e-link", click: () => go(item.key, true) }, item.name);
  }

  function neighbours(title, side) {
    const items = side.items.map((item) => h("li", {}, choice(item), " ", item.mark && verdict(item.mark), item.how && h("span", { class: "nbops-w-quiet" }, ` ${item.how}`)));
    return h("div", {}, h("h4", {}, title), items.length ? h("ul", {}, items, side.more > 0 && h("li", {}, `and ${side.more.toLocaleString("en")} more; search finds them`)) : h("p", { class: "nbops-w-quiet" }, "nothing that is known"));
  }

  function tell() {
    const one = look.detail;
    const page = one.page && [" \u2014 ", linked(one.page, "page")];
    detail.replaceChildren(
      h("h4", { class: "nbops-e-title" }, h("span", { class: "nbops-w-quiet" }, `${KINDS[one.kind]} `), one.name, " ", one.mark && verdict(one.mark), page),
      one.facts.length ? h("p", {}, one.facts.join("; ")) : "",
      one.home ? h("p", {}, "of ", choice({ key: one.home, name: one.home_name })) : "",
      one.checks.length ? h("ul", {}, one.checks.map((check) => h("li", {}, verdict(check.verdict), " ", h("code", {}, check.id), check.message && `: ${check.message}`))) : "",
      h("div", { class: "nbops-e-sides" }, neighbours("Comes from", one.up), neighbours("Goes into", one.down)),
      one.columns.length
        ? h("details", {}, h("summary", {}, `${one.columns.length + one.more_columns} columns`), h("ul", { class: "nbops-e-columns" }, one.columns.map((column) => h("li", {}, choice(column), h("span", { class: "nbops-w-quiet" }, ` ${column.type}`))), one.more_columns > 0 && h("li", {}, `and ${one.more_columns.toLocaleString("en")} more; search finds them`)))
        : "",
    );
  }

  async function go(key, move, returning) {
    problem.hidden = true;
    if (key === look.focus) {
      focus(key, move);
      return;
    }
    try {
      const next = await ask(model, "look", { key });
      if (over) return;
      if (!returning) back.push(look.focus);
      look = next;
      previous.disabled = !back.length;
      draw(move);
      tell();
      say(`${spoken(look.nodes.find((node) => node.key === look.focus) || look.detail)}. Comes from ${look.detail.up.items.length + look.detail.up.more}, goes into ${look.detail.down.items.length + look.detail.down.more}.`);
    } catch (error) {
      if (over) return;
      problem.textContent = error.message;
      problem.hidden = false;
    }
  }

  const goBack = () => back.length && go(back.pop(), true, true);
  previous.addEventListener("click", goBack);

  /** The node that a key leads to: along a line, or up and down among those that stand together. */
  function toward(key, direction) {
    const here = look.nodes.find((node) => node.key === key);
    const middle = (node) => node.y + node.height / 2;
    let near;
    if (direction === "ArrowLeft") near = look.edges.filter((edge) => edge.target === key).map((edge) => edge.source);
    else if (direction === "ArrowRight") near = look.edges.filter((edge) => edge.source === key).map((edge) => edge.target);
    else near = look.nodes.filter((node) => node !== here && Math.abs(node.x - here.x) < 1 && (direction === "ArrowUp" ? node.y < here.y : node.y > here.y)).map((node) => node.key);
    const nodes = near.map((one) => look.nodes.find((node) => node.key === one));
    nodes.sort((a, b) => Math.abs(middle(a) - middle(here)) - Math.abs(middle(b) - middle(here)));
    return nodes[0] && nodes[0].key;
  }

  drawing.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = toward(current, event.key);
      const here = look.nodes.find((node) => node.key === current);
      if (next) focus(next, true);
      else if ((event.key === "ArrowLeft" && here.up) || (event.key === "ArrowRight" && here.down)) go(current, true); // load what is hidden
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      go(current, true);
    } else if (event.key === "Home") {
      event.preventDefault();
      focus(look.focus, true);
    }
  });
  frame.addEventListener("keydown", (event) => {
    if (event.target === search) return;
    if (event.key === "Escape" && back.length) {
      event.preventDefault();
      goBack();
    } else if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  let options = [];
  let chosen = -1;
  let timer = null;
  let asked = 0;
  let shown = ""; // what the listed ones were searched by
  const close = () => {
    list.hidden = true;
    list.replaceChildren();
    options = [];
    chosen = -1;
    search.setAttribute("aria-expanded", "false");
    search.removeAttribute("aria-activedescendant");
  };
  const choose = (number) => {
    chosen = options.length ? (number + options.length) % options.length : -1;
    options.forEach((option, at) => option.node.setAttribute("aria-selected", String(at === chosen)));
    if (chosen < 0) return;
    search.setAttribute("aria-activedescendant", options[chosen].node.id);
    options[chosen].node.scrollIntoView({ block: "nearest" });
  };
  const take = (key) => {
    close();
    found.textContent = "";
    search.value = "";
    go(key, true);
  };
  async function look_for(text) {
    asked += 1;
    const mine = asked;
    try {
      const answer = await ask(model, "search", { text });
      if (over || mine !== asked) return;
      options = answer.found.map((item) => {
        const node = h("li", { role: "option", id: uid("option"), "aria-selected": "false", mousedown: (event) => event.preventDefault(), click: () => take(item.key) }, h("span", { class: "nbops-w-quiet" }, `${KINDS[item.kind]} `), item.name, item.mark && [" ", verdict(item.mark)]);
        return { key: item.key, node };
      });
      list.replaceChildren(...options.map((option) => option.node));
      list.hidden = !options.length;
      search.setAttribute("aria-expanded", String(options.length > 0));
      found.textContent = !text.trim() ? "" : answer.count === 0 ? "Nothing is called so." : `${answer.count.toLocaleString("en")} found${answer.count > answer.found.length ? `, the first ${answer.found.length} shown` : ""}`;
      say(found.textContent);
      shown = text;
      choose(0);
    } catch (error) {
      found.textContent = error.message;
    }
  }
  const enter = async () => {
    clearTimeout(timer);
    const text = search.value;
    await look_for(text);
    if (!over && shown === text && search.value === text && chosen >= 0) take(options[chosen].key);
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => look_for(search.value), SEARCH_AFTER);
  });
  search.addEventListener("blur", close);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (shown !== search.value) enter(); // typed faster than Python answers: what is listed is of fewer letters
      else if (chosen >= 0) take(options[chosen].key);
    } else if (event.key === "Escape") {
      event.preventDefault();
      close();
      found.textContent = "";
      search.value = "";
      focus(current, true);
    }
  });

  draw(false);
  tell();
  requestAnimationFrame(middle); // only now has it a size
  return () => {
    over = true;
    clearTimeout(timer);
    done();
  };
}

export default { render };
