// nbops.review(): a run's findings, one after another.

const STATES = { open: "nobody has said anything about it", acknowledged: "somebody looks into it", expected: "accepted as expected", resolved: "mended since" };
const SHOWS = [["", "all findings"], ["error", "errors only"], ["warn", "warnings only"]];

function examples(item) {
  const out = [];
  if (item.rows.length) {
    const head = h("tr", {}, item.columns.map((name) => h("th", { scope: "col" }, name)));
    const body = item.rows.map((row) => h("tr", {}, row.map((value) => h("td", {}, value === null ? h("span", { class: "nbops-w-quiet" }, "null") : value))));
    out.push(h("div", { class: "nbops-w-scroll", tabindex: "0", role: "region", "aria-label": "Example rows" },
      h("table", {}, h("caption", {}, "Rows that break the rule"), h("thead", {}, head), h("tbody", {}, body))));
  }
  if (item.withheld) out.push(h("p", { class: "nbops-w-quiet" }, item.withheld));
  return out;
}

function about(item) {
  const place = [item.dataset && `dataset ${item.dataset}`, item.column && `column ${item.column}`, item.task && `task ${item.task}`];
  const facts = item.facts.map(([label, text]) => h("div", {}, h("dt", {}, label), h("dd", {}, text)));
  const shared = item.incident && item.together > 1 ? `, with ${item.together - 1} other finding${item.together > 2 ? "s" : ""}` : "";
  return [
    h("p", { class: "nbops-w-quiet" }, place.filter(Boolean).join(", ")),
    item.message && h("p", {}, item.message),
    facts.length ? h("dl", { class: "nbops-r-facts" }, facts) : null,
    examples(item),
    item.hint && h("p", {}, h("strong", {}, "What next: "), item.hint),
    h("p", { "data-state": item.state, class: "nbops-r-state" }, h("strong", {}, "State: "), STATES[item.state] || item.state,
      item.incident ? [" (", h("code", {}, item.incident), shared, ")"] : ""),
  ];
}

function render({ model, el }) {
  let view = model.get("view");
  const { root, frame, say, done } = mount(el, `Review of run ${view.run}`);
  let at = view.items.length ? view.items[0].key : null;
  let only = "";
  let busy = false;

  const place = h("span", { class: "nbops-r-place" });
  const previous = h("button", { type: "button", click: () => walk(-1), "aria-keyshortcuts": "p" }, "Previous");
  const next = h("button", { type: "button", click: () => walk(1), "aria-keyshortcuts": "n" }, "Next");
  const filterId = uid("filter");
  const filter = h("select", { id: filterId, change: () => { only = filter.value; show(true); } }, SHOWS.map(([value, text]) => h("option", { value }, text)));
  const left = h("p", { class: "nbops-r-left" });
  const title = h("h4", { tabindex: "-1" });
  const content = h("div", {});
  const reasonId = uid("reason");
  const reason = h("input", { id: reasonId, type: "text", autocomplete: "off", "aria-describedby": `${reasonId}-help ${reasonId}-wrong` });
  const until = h("input", { id: uid("until"), type: "date" });
  const help = h("p", { id: `${reasonId}-help`, class: "nbops-w-quiet" });
  const wrong = h("p", { id: `${reasonId}-wrong`, class: "nbops-w-wrong", hidden: true });
  const accept = h("button", { type: "submit", class: "nbops-w-main" }, "Accept as expected");
  const acknowledge = h("button", { type: "button", click: () => send("acknowledge", { key: at, reason: reason.value }, "Acknowledged.") }, "Acknowledge");
  const undo = h("button", { type: "button", click: () => send("undo", {}, "Taken back.") }, "Take back the last acceptance");
  const refresh = h("button", { type: "button", click: () => send("refresh", {}, "Read anew.") }, "Read anew");
  const form = h("form", { novalidate: true, submit: (event) => { event.preventDefault(); accepting(); } },
    h("div", { class: "nbops-r-fields" },
      h("div", { class: "nbops-r-reason" }, h("label", { for: reasonId }, "Reason"), reason),
      h("div", {}, h("label", { for: until.id }, "Until (a day; empty: for ever)"), until)),
    help, wrong, h("div", { class: "nbops-w-bar" }, accept, acknowledge));
  const article = h("div", { class: "nbops-r-finding" }, title, content, form);
  const status = h("ul", { class: "nbops-r-said", "aria-label": "What was done" });
  root.append(
    h("h3", {}, "Review of run ", h("code", {}, view.run), " ", h("span", { class: "nbops-w-verdict", "data-verdict": view.verdict }, view.verdict)),
    left,
    h("div", { class: "nbops-w-bar" }, previous, next, place, h("span", { class: "nbops-r-filter" }, h("label", { for: filterId }, "Show "), filter)),
    article, status, h("div", { class: "nbops-w-bar" }, undo, refresh));

  const listed = () => view.items.filter((item) => !only || item.severity === only);
  const index = () => Math.max(0, listed().findIndex((item) => item.key === at));
  const current = () => listed()[index()];

  function complain(message) {
    wrong.textContent = message || "";
    wrong.hidden = !message;
    if (message) reason.setAttribute("aria-invalid", "true");
    else reason.removeAttribute("aria-invalid");
  }

  function show(loud) {
    const items = listed();
    const item = current();
    left.textContent = view.items.length
      ? `${view.left} of ${view.items.length + view.more} still to decide${view.more ? `; the first ${view.items.length} are shown` : ""}.`
      : "The run found nothing that needs a decision.";
    place.textContent = items.length ? `${index() + 1} of ${items.length}` : "none of these";
    previous.disabled = busy || !items.length || index() === 0;
    next.disabled = busy || !items.length || index() === items.length - 1;
    undo.disabled = busy || !view.undo;
    refresh.disabled = busy;
    article.hidden = !item;
    if (!item) {
      if (loud) say(place.textContent);
      return;
    }
    at = item.key;
    const mark = { unusual: "warned" }[item.mark] || item.mark;
    title.replaceChildren(h("span", { class: "nbops-w-verdict", "data-verdict": mark }, item.mark), ` ${item.title}`);
    content.replaceChildren(...about(item).flat(3).filter(Boolean));
    const may = item.accept && item.state !== "expected";
    help.textContent = item.state === "expected" ? "It is accepted already."
      : item.accept === "series" ? "Accepting writes monitoring/expected.yaml, which is yours to commit; later runs judge by it."
        : item.accept === "incident" ? `Accepting quiets its incident${item.together > 1 ? ` with all ${item.together} findings` : ""}; the rule itself stays as it is.`
          : `It cannot be accepted here: ${item.whyNot}`;
    accept.disabled = busy || !may;
    acknowledge.disabled = busy || !item.incident || item.state !== "open";
    for (const input of [reason, until]) input.disabled = busy || (accept.disabled && acknowledge.disabled);
    if (loud) say(`${place.textContent}: ${item.mark}, ${item.title}`);
  }

  function walk(step) {
    const items = listed();
    const to = items[index() + step];
    if (!to || busy) return;
    at = to.key;
    reason.value = "";
    until.value = "";
    complain("");
    show(true);
    ask(model, "go", { key: at }).catch(() => {});
    const button = step > 0 ? next : previous;
    if (button.disabled && !frame.contains(document.activeElement)) (step > 0 ? previous : next).focus();
    else if (button.disabled) title.focus();
  }

  function accepting() {
    if (!reason.value.trim()) {
      complain("Say why: others will want to know.");
      reason.focus();
      return;
    }
    send("accept", { key: at, reason: reason.value, until: until.value }, "Accepted.");
  }

  async function send(what, data, word) {
    if (busy) return;
    busy = true;
    complain("");
    frame.setAttribute("aria-busy", "true");
    show(false);
    try {
      const answer = await ask(model, what, data);
      view = answer.state;
      const said = answer.said.length ? answer.said : [word];
      status.replaceChildren(...said.map((text) => h("li", {}, text)));
      reason.value = "";
      until.value = "";
      busy = false;
      show(false);
      say([word, ...answer.said].join(" "));
      title.focus();
    } catch (error) {
      busy = false;
      show(false);
      complain(error.message);
      say(error.message);
      if (!reason.disabled) reason.focus();
    }
    frame.removeAttribute("aria-busy");
  }

  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "n") walk(1);
    else if (event.key === "p") walk(-1);
  });
  const changed = () => { view = model.get("view"); show(false); };
  model.on("change:view", changed);
  show(false);
  return () => { model.off("change:view", changed); done(); };
}

export default { render };
