type Child = Node | string | null | undefined | false;

/** Make an element. Text is only ever text: nothing that the server says is taken as HTML. */
export function h(
  tag: string,
  attributes: Record<string, string | boolean | EventListener | undefined> = {},
  ...children: Child[]
): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name, value);
    } else if (value === true) {
      element.setAttribute(name, '');
    } else if (typeof value === 'string') {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child): child is Node | string => !!child));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Make an element of a drawing. */
export function s(tag: string, attributes: Record<string, string | number>, ...children: Node[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/** Make a button; `key` finds it again after the panel was drawn anew. */
export function button(
  text: string,
  key: string,
  then: () => unknown,
  given: { disabled?: boolean; main?: boolean; title?: string; label?: string } = {}
): HTMLElement {
  return h(
    'button',
    {
      type: 'button',
      class: given.main ? 'nbops-button nbops-main' : 'nbops-button',
      'data-key': key,
      disabled: given.disabled ?? false,
      title: given.title,
      'aria-label': given.label,
      click: () => void then()
    },
    text
  );
}
