// Makes elements. Text comes in as text nodes alone, so no key or value is ever read as markup.

type Child = Node | string | undefined;
type Properties = Readonly<Record<string, string | number | boolean | undefined>>;

const SVG = "http://www.w3.org/2000/svg";

/** An element of HTML; a property that is `undefined` or `false` is left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(name), properties, children);
}

/** An element of SVG. */
export function shape<K extends keyof SVGElementTagNameMap>(
  name: K,
  properties: Properties = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS(SVG, name), properties, children);
}

/** A button that does something. */
export function button(
  label: string,
  press: () => void,
  properties: Properties = {},
): HTMLButtonElement {
  const made = element("button", { type: "button", ...properties }, label);
  made.addEventListener("click", press);
  return made;
}

/** A field with its label before it. */
export function labelled(label: string, field: HTMLElement, properties: Properties = {}): HTMLLabelElement {
  return element("label", properties, element("span", {}, label), field);
}

/** A part that is folded until it is wanted. */
export function folded(title: string, properties: Properties, ...children: readonly Child[]): HTMLDetailsElement {
  return element("details", properties, element("summary", {}, title), ...children);
}

/** Sets attributes, but only those that differ: what does not change costs no layout. */
export function set(target: Element, properties: Properties): void {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) {
      if (target.hasAttribute(name)) target.removeAttribute(name);
      continue;
    }
    const text = value === true ? "" : String(value);
    if (target.getAttribute(name) !== text) target.setAttribute(name, text);
  }
}

/** Sets a text, if it differs. */
export function say(target: Node, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Rebuilds what an element holds when `of` is no longer what it was built of. The focus stays on
 * the control of the same `data-name`, so that a person who uses the keyboard is not thrown out.
 */
export function rebuild(target: HTMLElement | SVGElement, of: unknown, build: () => readonly Child[]): void {
  const signature = JSON.stringify(of);
  if (signatures.get(target) === signature) return;
  signatures.set(target, signature);
  const active = document.activeElement;
  const name = active && target.contains(active) ? active.getAttribute("data-name") : null;
  target.replaceChildren(...build().filter((child) => child !== undefined));
  if (name === null) return;
  const again = target.querySelector(`[data-name="${CSS.escape(name)}"]`);
  if (again instanceof HTMLElement || again instanceof SVGElement) again.focus();
}

const signatures = new WeakMap<Element, string>();

function filled<T extends Element>(made: T, properties: Properties, children: readonly Child[]): T {
  set(made, properties);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}
