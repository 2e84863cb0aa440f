// nbops.panel(): a task's parameters, its run, its verdicts.

const WORDS = {
  bool: "yes or no", int: "whole number", float: "number", str: "text", date: "date, YYYY-MM-DD", path: "path",
  list: "list, as JSON", dict: "mapping, as JSON", json: "JSON", fixed: "not to be typed",
};
const MOST_LOG = 400000;
const EVERY = 700; // milliseconds between two questions how a build goes
const PATIENCE = 2500; // milliseconds after which a kernel that does not answer is said to be busy

function control(field, id) {
  const described = `${id}-help ${id}-wrong`;
  if (field.kind === "fixed") return h("code", { id }, String(field.value));
  const common = { id, name: field.name, "aria-describedby": described };
  if (field.kind === "bool" && typeof field.value === "boolean") {
    return h("input", { ...common, type: "checkbox", checked: field.value });
  }
  const choices = field.kind === "bool" ? ["true", "false"] : field.choices;
  if (choices.length) {
    const empty = field.optional || !choices.includes(field.value);
    const options = choices.map((choice) => h("option", { value: choice }, choice === "" ? "(empty)" : choice));
    const select = h("select", common, empty && h("option", { value: "" }, "(none)"), options);
    select.value = field.value;
    return select;
  }
  if (field.long) return h("textarea", { ...common, rows: 3, spellcheck: "false", value: field.value });
  const number = field.kind === "int" || field.kind === "float";
  return h("input", {
    ...common,
    type: number ? "number" : field.kind === "date" ? "date" : "text",
    step: field.kind === "int" ? "1" : number ? "any" : null,
    min: number ? field.minimum : null,
    max: number ? field.maximum : null,
    spellcheck: "false",
    autocomplete: "off",
    value: field.value,
  });
}

function row(field) {
  const id = uid("field");
  const input = control(field, id);
  const kind = [WORDS[field.kind] || field.kind, field.allowed, field.optional && "may be empty"].filter(Boolean).join("; ");
  const help = h("p", { id: `${id}-help`, class: "nbops-w-quiet nbops-p-help" }, kind, field.help && field.help !== field.allowed && ` \u2014 ${field.help}`);
  const wrong = h("p", { id: `${id}-wrong`, class: "nbops-w-wrong", hidden: true });
  const label = field.kind === "fixed" ? h("span", { class: "nbops-p-label" }, field.name) : h("label", { class: "nbops-p-label", for: id }, field.name);
  const show = (message) => {
    wrong.textContent = message || "";
    wrong.hidden = !message;
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  const read = () => {
    if (input.type === "checkbox") return input.checked;
    return input.validity && input.validity.badInput ? "what was typed" : input.value;
  };
  const reset = () => {
    if (input.type === "checkbox") input.checked = field.value;
    else if (field.kind !== "fixed") input.value = field.value;
    show("");
  };
  return { field, input, node: h("div", { class: "nbops-p-row" }, label, h("div", {}, input, wrong, help)), show, read, reset };
}

function outcome(result) {
  const task = result.task;
  const out = [];
  if (result.error) out.push(h("p", { class: "nbops-w-wrong" }, result.error));
  if (!task) return out;
  const why = task.stale ? `; the next build runs it: ${task.reasons.join("; ")}` : "";
  const state = task.status ? ["Last run: ", h("strong", {}, task.status.replaceAll("_", " ")), why] : ["Not built yet."];
  out.push(h("p", {}, state, task.page && [" \u2014 ", linked(task.page, "page of the task")]));
  const told = task.error && task.error.kind === "ChecksFailed" && task.datasets.some((item) => item.checks.length);
  if (task.error) {
    if (!told) out.push(h("pre", { class: "nbops-w-wrong nbops-p-error", tabindex: "0" }, `${task.error.kind}: ${task.error.message}`));
    if (task.error.hint) out.push(h("p", {}, task.error.hint));
  }
  for (const item of task.datasets) {
    const rows = item.rows === null ? "" : ` ${item.rows.toLocaleString("en")} rows`;
    out.push(h("p", {}, verdict(item.verdict), " ", item.page ? linked(item.page, item.name) : item.name, rows, item.published ? "" : "; held back, the last good version stays"));
    if (item.checks.length) {
      out.push(h("ul", { class: "nbops-p-checks" }, item.checks.map((check) => h("li", {}, verdict(check.verdict), " ", h("code", {}, check.id), check.message && `: ${check.message}`)), item.more > 0 && h("li", {}, `and ${item.more} more`)));
    }
  }
  return out;
}

function render({ model, el }) {
  const view = model.get("view");
  const { root, say, done } = mount(el, `Parameters of ${view.task}`);
  const rows = view.fields.map(row);
  let over = false;
  let offset = 0;
  let known = null;
  let busy = false;

  const run = h("button", { type: "submit", class: "nbops-w-main" }, "Run");
  const stop = h("button", { type: "button", disabled: true }, "Stop");
  const reset = h("button", { type: "button" }, "Reset values");
  const upstream = h("input", { type: "checkbox", checked: true });
  const force = h("input", { type: "checkbox" });
  const status = h("p", { class: "nbops-p-status" }, "");
  const meter = h("progress", { max: 1, hidden: true, "aria-label": "Tasks done" });
  const text = h("pre", { class: "nbops-p-log", role: "log", tabindex: "0", "aria-label": "Log of the build" });
  const log = h("details", { hidden: true }, h("summary", {}, "Log of the build"), text);
  const result = h("div", { class: "nbops-p-result" }, outcome(view.result));
  const form = h(
    "form",
    { novalidate: true },
    rows.length ? rows.map((one) => one.node) : h("p", {}, "It has no parameters."),
    h("div", { class: "nbops-w-bar" }, run, stop, reset, h("label", {}, upstream, " what it depends on, too"), h("label", {}, force, " also when up to date")),
  );
  root.append(
    h("h3", {}, `Parameters of ${view.task}`),
    h("p", { class: "nbops-w-quiet" }, [view.source, view.pipeline].filter(Boolean).join(" \u2014 "), ". Values hold for one run; the pipeline keeps its own."),
    form, status, meter, log, result,
  );

  const tell = (message, loud) => {
    status.textContent = message;
    if (loud) say(message);
  };

  /** Ask, and say so when the kernel has no time. */
  async function asked(what, data) {
    const timer = setTimeout(() => tell("Waiting for the kernel: it is running a cell, or it is gone."), PATIENCE);
    try {
      return await ask(model, what, data);
    } finally {
      clearTimeout(timer);
    }
  }

  const typed = () => Object.fromEntries(rows.filter((one) => one.field.kind !== "fixed").map((one) => [one.field.name, one.read()]));
  const show = (errors) => rows.forEach((one) => one.show(errors[one.field.name]));

  let waiting = null;
  const check = () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const { errors } = await ask(model, "check", { values: typed() }).catch((error) => ({ errors: {}, wrong: tell(error.message) }));
      if (!over) show(errors);
    }, 250);
  };
  form.addEventListener("input", (event) => event.target !== upstream && event.target !== force && check());

  const ready = (running) => {
    busy = running;
    run.disabled = running;
    stop.disabled = !running;
    form.setAttribute("aria-busy", String(running));
  };

  const write = (more) => {
    if (!more) return;
    const below = text.scrollHeight - text.scrollTop - text.clientHeight < 30;
    text.textContent = (text.textContent + more).slice(-MOST_LOG);
    if (below) text.scrollTop = text.scrollHeight;
  };

  async function watch(started) {
    ready(true);
    for (;;) {
      const state = await asked("state", { offset });
      if (over) return;
      if (known !== state.id) {
        known = state.id;
        text.textContent = "";
        if (offset) {
          offset = 0;
          continue;
        }
      }
      offset = state.offset;
      write(state.log);
      log.hidden = false;
      if (!state.running) {
        await finish(state, started);
        return;
      }
      const progress = state.progress;
      meter.hidden = !progress;
      if (progress) {
        meter.max = Math.max(progress.all, 1);
        meter.value = progress.done;
      }
      tell(progress ? `Building: ${progress.done} of ${progress.all} tasks done.` : "Building: it is being worked out what has to run.");
      await new Promise((resolve) => setTimeout(resolve, EVERY));
      if (over) return;
    }
  }

  async function finish(state, started) {
    const found = await asked("result", {});
    if (over) return;
    meter.hidden = true;
    result.replaceChildren(...outcome(found));
    const code = state.exit_code;
    const worst = found.task && found.task.status ? found.task.status.replaceAll("_", " ") : "";
    const ended = code === null ? "ended" : code === 0 ? "done" : code === 1 ? "a task or its checks failed" : code === 130 || code < 0 ? "stopped" : `ended with code ${code}; the log says why`;
    if (code !== null && code !== 0) log.open = true;
    tell(started ? `Build: ${ended}. ${view.task}: ${worst || "not built"}.` : "", started);
    ready(false);
  }

  const guarded = async (work) => {
    try {
      await work();
    } catch (error) {
      if (over) return;
      tell(error.message, true);
      ready(false);
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (busy) return;
    clearTimeout(waiting);
    guarded(async () => {
      ready(true);
      tell("Starting.", true);
      const answer = await asked("run", { values: typed(), upstream: upstream.checked, force: force.checked });
      show(answer.errors);
      const wrong = rows.filter((one) => answer.errors[one.field.name]);
      if (wrong.length) {
        ready(false);
        tell(`${wrong.length === 1 ? "One value is" : `${wrong.length} values are`} not right: ${wrong.map((one) => one.field.name).join(", ")}.`, true);
        wrong[0].input.focus();
        return;
      }
      offset = 0;
      text.textContent = "";
      known = answer.started;
      tell("Building.", true);
      stop.disabled = false;
      await watch(true);
    });
  });
  stop.addEventListener("click", async () => {
    try {
      const { stopped } = await asked("stop", {});
      tell(stopped ? "Stopping: what has begun is undone." : "There is no build to stop.", true);
    } catch (error) {
      tell(error.message, true);
    }
  });
  reset.addEventListener("click", () => {
    rows.forEach((one) => one.reset());
    say("The pipeline's values are back.");
  });

  guarded(async () => {
    const state = await ask(model, "state", { offset: 0 });
    if (over || busy || !state.running) return;
    await watch(true);
  });

  return () => {
    over = true;
    clearTimeout(waiting);
    done();
  };
}

export default { render };
