// nbops.contract_editor(): a contract as a form, judged on the data meanwhile.

const WAIT = 600; // milliseconds after the last key until a field is sent
const UNITS = ["", "minute", "hour", "day", "week", "month", "year", "m", "h", "d", "w", "mo", "y"];
const NUMBERS = new Set(["integer", "number"]);
const TIMES = new Set(["date", "timestamp", "time"]);
const WORD = { passed: "passed", warned: "warned", failed: "failed", errored: "could not be measured", skipped: "skipped" };

function render({ model, el }) {
  let view = model.get("view");
  let judged = view.look;
  const { root, frame, say, done } = mount(el, `Contract of ${view.dataset}`);
  let chosen = view.fields.columns.length ? view.fields.columns[0].name : null;
  let queue = Promise.resolve();
  const controls = []; // of the data set
  let ofColumn = []; // of the chosen column

  // --- sending

  function send(what, data, word) {
    queue = queue.then(async () => {
      frame.setAttribute("aria-busy", "true");
      try {
        const answer = await ask(model, what, data);
        view = answer.state;
        judged = view.look;
        trouble.hidden = true;
        trouble.textContent = "";
        show();
        if (answer.said || word) tell(answer.said || word);
        return true;
      } catch (error) {
        trouble.textContent = error.message;
        trouble.hidden = false;
        say(error.message);
        return false;
      } finally {
        frame.removeAttribute("aria-busy");
      }
    });
    return queue;
  }

  function tell(text) {
    status.textContent = text;
    say(text);
  }

  /** Make a labelled field that sends itself a moment after the last key. */
  function field({ label, help, input, read, write, name, column }) {
    const id = uid("c");
    input.id = id;
    let timer = null;
    let sent = null;
    const flush = () => {
      clearTimeout(timer);
      timer = null;
      const value = read();
      const text = JSON.stringify(value);
      if (text === sent) return;
      sent = text;
      send("set", { field: name, column: column || null, value });
    };
    const later = () => { clearTimeout(timer); timer = setTimeout(flush, WAIT); };
    input.addEventListener("input", input.tagName === "SELECT" || input.type === "checkbox" ? flush : later);
    input.addEventListener("change", flush);
    if (help) input.setAttribute("aria-describedby", `${id}-help`);
    const node = input.type === "checkbox"
      ? h("div", { class: "nbops-c-field nbops-c-check" }, input, " ", h("label", { for: id }, label))
      : h("div", { class: "nbops-c-field" }, h("label", { for: id }, label), input);
    if (help) node.append(h("p", { id: `${id}-help`, class: "nbops-w-quiet" }, help));
    const put = (fields) => {
      if (timer !== null) return; // being typed
      const value = write(fields);
      sent = JSON.stringify(value);
      if (input.type === "checkbox") input.checked = Boolean(value);
      else if (input !== frame.getRootNode().activeElement || input.value.trim() !== String(value ?? "").trim()) input.value = value ?? "";
    };
    return { node, put, flush: () => { if (timer !== null) flush(); } };
  }

  const line = (extra) => h("input", { type: "text", spellcheck: "false", autocomplete: "off", ...extra });
  const choice = (values, labels) => h("select", {}, values.map((value, index) => h("option", { value }, (labels || values)[index] || "(none)")));
  const simple = (name, label, input, more) => field({ label, name, input, read: () => input.value, write: (fields) => fields[name] ?? "", ...more });

  // --- the data set

  const age = { value: line({ inputmode: "decimal" }), unit: choice(UNITS), column: line() };
  const readAge = () => ({ value: age.value.value, unit: age.unit.value, column: age.column.value });
  const ageField = (key, label) => field({
    label, name: "freshness", input: age[key], read: readAge, write: (fields) => (fields.freshness || {})[key] ?? "",
  });
  controls.push(
    simple("description", "What the dataset is", h("textarea", { rows: 2 })),
    simple("owner", "Owner", line()),
    simple("status", "Status", line()),
    simple("version", "Version", line()),
  );
  const lists = simple("recommendations", "Recommendations", line(), { // a long line: it has a row of its own
    help: "If its rows are lists for users: user: column, item: column, rank: column, catalogue: dataset.column. Or no.",
  });
  controls.push(lists);
  const fresh = [ageField("value", "Newest row at most"), ageField("unit", "Unit"), ageField("column", "By the time in column")];
  // All three are one field: what was read of one is what was read of all.
  const putFresh = () => fresh.forEach((one) => one.put(view.fields));

  // --- the chosen column

  const listId = uid("columns");
  const list = h("select", { id: listId, size: 8, change: () => { flushAll(); chosen = list.value; draw(); } });
  const newName = line({ list: uid("unknown"), "aria-label": "Name of the new column" });
  const unknown = h("datalist", { id: newName.getAttribute("list") });
  const add = h("form", { class: "nbops-w-bar", submit: async (event) => {
    event.preventDefault();
    const name = newName.value.trim();
    if (name && await send("add", { name }, `Column ${name} added.`)) { newName.value = ""; chosen = name; show(); draw(); }
  } }, newName, unknown, h("button", { type: "submit" }, "Add column"));
  const panel = h("div", { class: "nbops-c-column" });

  function draw() {
    const column = view.fields.columns.find((one) => one.name === chosen);
    ofColumn = [];
    panel.replaceChildren();
    if (!column) return;
    const of = (name, label, input, more) => ofColumn[ofColumn.push(field({
      label, name, input, column: column.name,
      read: () => (input.type === "checkbox" ? input.checked : input.value),
      write: (fields) => (fields.columns.find((one) => one.name === column.name) || {})[name] ?? "", ...more,
    })) - 1].node;
    const kind = column.logicalType;
    const bounds = !kind || NUMBERS.has(kind) || TIMES.has(kind);
    const text = !kind || kind === "string";
    const some = (key, wanted) => wanted || column[key] !== null;
    const types = ["", ...view.types];
    if (kind && !types.includes(kind)) types.push(kind);
    const personal = choice(["", "true", "false"], ["as its classification says", "yes, never show values", "no"]);
    panel.append(
      h("h4", { tabindex: "-1" }, "Column ", h("code", {}, column.name), column.primaryKey ? " (key)" : ""),
      of("description", "Meaning", h("textarea", { rows: 2 })),
      h("div", { class: "nbops-c-grid" },
        of("logicalType", "Type", choice(types)),
        of("physicalType", "Type in the data", line()),
        of("required", "Required: no nulls", h("input", { type: "checkbox" })),
        of("unique", "Unique: no value twice", h("input", { type: "checkbox" })),
        some("minimum", bounds) && of("minimum", "Smallest", line()),
        some("maximum", bounds) && of("maximum", "Largest", line()),
        some("exclusiveMinimum", false) && of("exclusiveMinimum", "More than", line()),
        some("exclusiveMaximum", false) && of("exclusiveMaximum", "Less than", line()),
        some("minLength", text) && of("minLength", "Shortest, characters", line({ inputmode: "numeric" })),
        some("maxLength", text) && of("maxLength", "Longest, characters", line({ inputmode: "numeric" })),
        some("pattern", text) && of("pattern", "Pattern (regular expression)", line()),
        some("format", false) && of("format", "Format", line()),
        of("classification", "Classification", line({ list: classes.id })),
        of("personal", "Personal", personal, {
          read: () => ({ true: true, false: false })[personal.value] ?? null,
          write: (fields) => { const one = fields.columns.find((item) => item.name === column.name) || {}; return one.personal === true ? "true" : one.personal === false ? "false" : ""; },
        })),
      of("values", "Allowed values, one a line (none: any)", h("textarea", { rows: 3, spellcheck: "false" })),
      column.rules > 0 ? h("p", { class: "nbops-w-quiet" }, `${column.rules} more rule${column.rules === "1" ? "" : "s"} in the file: they stay as they are.`) : "",
      h("div", { class: "nbops-w-bar" }, h("button", { type: "button", click: async () => {
        if (await send("drop", { column: column.name }, `Column ${column.name} taken out of the contract; undo brings it back.`)) { pick(); draw(); list.focus(); }
      } }, "Take column out")));
    ofColumn.forEach((one) => one.put(view.fields));
  }

  function pick() {
    const names = view.fields.columns.map((one) => one.name);
    if (!names.includes(chosen)) chosen = names[0] ?? null;
  }

  function flushAll() {
    for (const one of [...controls, ...fresh, ...ofColumn]) one.flush();
  }

  const classes = h("datalist", { id: uid("classes") }, ["public", "internal", "confidential", "restricted", "personal"].map((value) => h("option", { value })));

  // --- judgement, problems, saving

  const trouble = h("p", { class: "nbops-w-wrong", role: "alert", hidden: true });
  const status = h("p", { class: "nbops-c-status" });
  const unsaved = h("p", { class: "nbops-c-unsaved" });
  const problems = h("div", {});
  const basis = h("p", { class: "nbops-c-basis" });
  const table = h("div", { class: "nbops-w-scroll", tabindex: "0", role: "region", "aria-label": "Rules on the data of now" });
  const conflictText = h("p", {});
  const conflict = h("div", { class: "nbops-c-box", role: "group", "aria-label": "The file was changed", hidden: true },
    conflictText, h("div", { class: "nbops-w-bar" },
      h("button", { type: "button", click: () => send("take", {}) }, "Read it anew, keep my changes"),
      h("button", { type: "button", click: () => send("over", {}) }, "Save mine over it")));
  const undo = h("button", { type: "button", click: () => send("undo", {}, "Undone.").then(draw) }, "Undo");
  const redo = h("button", { type: "button", click: () => send("redo", {}, "Done again.").then(draw) }, "Redo");
  const revert = h("button", { type: "button", click: () => send("revert", {}, "All changes are gone; undo does not bring them back.").then(draw) }, "Forget all changes");
  const review = h("button", { type: "button", class: "nbops-w-main", "aria-expanded": "false", click: async () => {
    flushAll();
    await send("look", {});
    if (!view.changed) return;
    sheet.hidden = false;
    review.setAttribute("aria-expanded", "true");
    sheetTitle.focus();
  } }, "See changes and save");
  const lines = h("pre", { class: "nbops-c-diff", tabindex: "0", "aria-label": "What saving changes in the file" });
  const sheetTitle = h("h4", { tabindex: "-1" }, "What saving changes");
  const write = h("button", { type: "button", class: "nbops-w-main", click: () => send("save", {}).then((saved) => { if (saved) shut(); }) }, "Save");
  const sheet = h("div", { class: "nbops-c-box", hidden: true }, sheetTitle, lines,
    h("div", { class: "nbops-w-bar" }, write, h("button", { type: "button", click: () => shut() }, "Not yet")));
  function shut() {
    sheet.hidden = true;
    review.setAttribute("aria-expanded", "false");
    if (review.disabled) head.focus();
    else review.focus();
  }

  function showJudged() {
    const look = judged;
    const current = look && look.number === view.asked;
    if (view.problems.length) basis.textContent = "The contract is wrong, so nothing is judged by it.";
    else if (!look) basis.textContent = "Judging the data of now…";
    else if (look.error) basis.textContent = `The data cannot be judged: ${look.error}`;
    else {
      const counts = Object.entries(look.tally).map(([word, number]) => `${number} ${WORD[word]}`).join(", ") || "no rules";
      const what = look.basis === "sample"
        ? `First ${look.rows} rows: ${counts}; ${look.waiting ? `${look.waiting} rules need all rows; ` : ""}the whole data is being judged…`
        : `All ${look.rows} rows: ${counts}.`;
      basis.textContent = current ? what : `${what} Of the contract before the last change; judging anew…`;
    }
    const results = look ? look.results : [];
    const rows = results.map((one) => h("tr", {},
      h("td", {}, h("span", { class: "nbops-w-verdict", "data-verdict": one.verdict }, WORD[one.verdict])),
      h("td", {}, one.column || "(table)"), h("td", {}, one.rule), h("td", {}, one.message)));
    table.hidden = !rows.length || view.problems.length > 0;
    table.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, ["Verdict", "Column", "Rule", "Found"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows)));
    if (look && look.more) table.append(h("p", {}, `and ${look.more} more rules`));
    unknown.replaceChildren(...(look ? look.unknown : []).map((value) => h("option", { value })));
    const worst = {};
    for (const one of [...results].reverse()) if (one.column && one.verdict !== "passed") worst[one.column] = one.verdict;
    for (const option of list.options) option.textContent = worst[option.value] ? `${option.value} \u2014 ${WORD[worst[option.value]]}` : option.value;
  }

  function show() {
    pick();
    const names = view.fields.columns.map((one) => one.name);
    if (names.join("\n") !== [...list.options].map((option) => option.value).join("\n")) {
      list.replaceChildren(...names.map((value) => h("option", { value }, value)));
    }
    list.value = chosen;
    controls.forEach((one) => one.put(view.fields));
    putFresh();
    ofColumn.forEach((one) => one.put(view.fields));
    const n = view.changes;
    unsaved.textContent = view.changed ? `${n} change${n === 1 ? "" : "s"} not saved` : "No unsaved changes";
    unsaved.dataset.changed = view.changed;
    problems.replaceChildren(...(view.problems.length ? [h("h4", {}, "The contract is wrong"), h("ul", { class: "nbops-w-wrong" }, view.problems.map((text) => h("li", {}, text)))] : []));
    conflictText.textContent = view.conflict;
    conflict.hidden = !view.conflict;
    undo.disabled = !view.undo;
    redo.disabled = !view.redo;
    revert.disabled = !view.changed;
    review.disabled = !view.changed;
    write.disabled = view.problems.length > 0 || Boolean(view.conflict);
    lines.replaceChildren(...view.diff.map((text) => h("span", { "data-sign": text.slice(0, 1) }, `${text}\n`)), view.moreLines ? `and ${view.moreLines} more lines` : "");
    if (!view.changed && !sheet.hidden) shut();
    showJudged();
  }

  const head = h("h3", { tabindex: "-1" }, `Contract of ${view.dataset} `, h("span", { class: "nbops-w-quiet" }, view.file));
  root.append(
    head, unsaved, trouble, conflict,
    h("fieldset", {}, h("legend", {}, "Dataset"), controls[0].node, h("div", { class: "nbops-c-grid" }, controls.filter((one) => one !== lists).slice(1).map((one) => one.node), fresh.map((one) => one.node)), lists.node),
    h("fieldset", {}, h("legend", {}, "Columns"), classes,
      h("div", { class: "nbops-c-columns" }, h("div", {}, h("label", { for: listId }, "Column to edit"), list, add), panel)),
    problems,
    h("fieldset", {}, h("legend", {}, "On the data of now"), basis, table),
    h("div", { class: "nbops-w-bar" }, review, undo, redo, revert), sheet, status);

  const end = listen(model, "look", (look) => {
    judged = look;
    showJudged();
    if (look && look.number === view.asked && look.basis === "whole") say(basis.textContent);
  });
  const changed = () => {
    view = model.get("view");
    if (!judged || (view.look && view.look.number >= judged.number)) judged = view.look;
    show();
  };
  model.on("change:view", changed);
  frame.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s") return;
    event.preventDefault();
    review.click();
  });
  show();
  draw();
  send("look", {}); // what was found before anybody listened
  return () => { end(); model.off("change:view", changed); done(); };
}

export default { render };
