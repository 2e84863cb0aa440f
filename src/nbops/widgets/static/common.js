// What all widgets share. Text is only ever text: nothing that Python says is taken as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make an element: attributes, listeners (values that are functions), children (nodes, or texts). */
function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an element of a drawing. */
function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

let counted = 0;
/** Return an id that no other element of the page has. */
function uid(prefix) {
  counted += 1;
  return `nbops-${prefix}-${counted}-${Math.random().toString(36).slice(2, 8)}`;
}

/** Ask Python; what it refuses, it says in the error's message. Python answers when the kernel is free. */
function ask(model, what, data) {
  const id = uid("ask");
  return new Promise((resolve, reject) => {
    const hear = (message) => {
      if (!message || message.kind !== "answer" || message.id !== id) return;
      model.off("msg:custom", hear);
      if (message.ok) resolve(message.data);
      else reject(new Error(message.error));
    };
    model.on("msg:custom", hear);
    model.send({ kind: "ask", id, what, data: data || {} });
  });
}

/** Hear what Python tells; returns a function that ends it. */
function listen(model, what, heard) {
  const hear = (message) => {
    if (message && message.kind === "event" && message.what === what) heard(message.data);
  };
  model.on("msg:custom", hear);
  return () => model.off("msg:custom", hear);
}

function luminance(colour) {
  const [r, g, b] = (colour.match(/[\d.]+/g) || [255, 255, 255]).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/** Say on an element whether it stands on a dark ground, whatever the program around it calls its themes. */
function follow(root) {
  const look = () => {
    let ground = root.parentElement;
    let colour = "";
    while (ground && (!colour || colour === "transparent" || /, 0\)$/.test(colour))) {
      colour = getComputedStyle(ground).backgroundColor;
      ground = ground.parentElement;
    }
    const clear = !colour || colour === "transparent" || /, 0\)$/.test(colour);
    const dark = clear ? matchMedia("(prefers-color-scheme: dark)").matches : luminance(colour) < 0.5;
    if (root.dataset.ground !== (dark ? "dark" : "light")) root.dataset.ground = dark ? "dark" : "light";
  };
  const seen = new MutationObserver(() => requestAnimationFrame(look));
  seen.observe(document.body, { attributes: true });
  seen.observe(document.documentElement, { attributes: true });
  const timer = setInterval(look, 1000); // a theme's style sheet arrives later than its name
  requestAnimationFrame(look);
  return () => {
    seen.disconnect();
    clearInterval(timer);
  };
}

/**
 * Put a widget's frame into its place: a named region that follows the theme, keeps its keys to itself, and has a place to
 * speak to screen readers. Returns the frame, `say(text)` and `done()`, which `render` has to return.
 */
function mount(el, name) {
  const voice = h("div", { class: "nbops-w-sr", role: "status", "aria-live": "polite" });
  const body = h("div", { class: "nbops-w-body" });
  // JupyterLab listens to keys before any element does, and leaves alone what bears this mark
  const root = h("section", { class: "nbops-w", "aria-label": name, "data-lm-suppress-shortcuts": "true" }, body, voice);
  for (const kind of ["keydown", "keypress", "keyup"]) root.addEventListener(kind, (event) => event.stopPropagation());
  el.replaceChildren(root);
  const done = follow(root);
  return { root: body, frame: root, say: (text) => void (voice.textContent = text), done };
}

/** The address of a page of the project, where the program around this one has one; else null. */
function address(page) {
  if (!page || page.beside === null) return null;
  const config = document.getElementById("jupyter-config-data");
  const here = decodeURIComponent(location.pathname).match(/\/(?:lab(?:\/workspaces\/[^/]+)?\/tree|notebooks)\/(.+)$/);
  if (!config || !here) return null;
  let base = "/";
  try {
    base = JSON.parse(config.textContent).baseUrl || "/";
  } catch {
    return null;
  }
  const parts = here[1].split("/").slice(0, -1);
  for (const part of page.beside.split("/")) {
    if (part === "..") {
      if (!parts.length) return null;
      parts.pop();
    } else if (part !== ".") parts.push(part);
  }
  return `${base}files/${parts.map(encodeURIComponent).join("/")}`;
}

/** A page of the project as a link where it has an address, else as text that tells where it is. */
function linked(page, text) {
  const url = address(page);
  return url ? h("a", { href: url, target: "_blank", rel: "noopener" }, text) : h("span", { title: page.path }, text);
}

const TONES = { succeeded: "passed", up_to_date: "passed", interrupted: "warned" };

/** A verdict, or a task's state, in its colour. */
function verdict(word) {
  return h("span", { class: "nbops-w-verdict", "data-verdict": TONES[word] || word }, word.replaceAll("_", " "));
}
