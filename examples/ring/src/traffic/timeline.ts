// The calls, newest first: each a line with its acknowledgements, which opens to its receipt.

import type { RunView } from "quorate/sim";

import { element, rebuild, say, set } from "../element.js";
import type { Scene } from "../scene.js";
import { clockTime, duration, listed, nodeName } from "../words.js";
import { diagram } from "./diagram.js";
import type { Operation } from "./operations.js";
import { needed, sentences, standing, title } from "./receipt.js";

const SHOWN = 30;

export class Timeline {
  readonly root = element("section", { class: "card timeline", "aria-label": "Calls" });
  readonly #list = element("ol", { class: "calls" });
  readonly #empty = element(
    "p",
    { class: "quiet" },
    "No calls yet. Write or read a key, and what becomes of it is told here.",
  );
  readonly #rows = new Map<number, Row>();
  readonly #choose: (call: number | undefined) => void;

  constructor(choose: (call: number | undefined) => void) {
    this.#choose = choose;
    this.root.append(element("h2", {}, "Calls"), this.#empty, this.#list);
  }

  update(scene: Scene): void {
    const operations = scene.operations.list().slice(0, SHOWN);
    set(this.#empty, { hidden: operations.length > 0 });
    const rows = operations.map((operation) => {
      const row = this.#rows.get(operation.call) ?? new Row(operation.call, this.#choose);
      row.update(operation, scene);
      return row;
    });
    this.#rows.clear();
    for (const row of rows) this.#rows.set(row.call, row);
    const inOrder = rows.every((row, index) => this.#list.children[index] === row.root);
    if (!inOrder || this.#list.children.length !== rows.length) {
      this.#list.replaceChildren(...rows.map(({ root }) => root));
    }
  }
}

class Row {
  readonly call: number;
  readonly root = element("li");
  readonly #button = element("button", { type: "button", class: "call", "aria-expanded": "false" });
  readonly #at = element("span", { class: "at" });
  readonly #title = element("span", { class: "title" });
  readonly #acks = element("span", { class: "acks" });
  readonly #standing = element("span", { class: "standing" });
  readonly #receipt = element("div", { class: "receipt", hidden: true });

  constructor(call: number, choose: (call: number | undefined) => void) {
    this.call = call;
    this.#button.append(this.#at, this.#title, this.#acks, this.#standing);
    this.#button.addEventListener("click", () => {
      choose(this.#button.getAttribute("aria-expanded") === "true" ? undefined : call);
    });
    this.root.append(this.#button, this.#receipt);
  }

  update(operation: Operation, { view, choice }: Scene): void {
    const open = choice.call === this.call;
    say(this.#at, clockTime(operation.began));
    say(this.#title, title(operation));
    this.#showAcks(operation, view);
    say(this.#standing, standing(operation, view));
    set(this.#standing, { class: `standing ${operation.outcome?.kind ?? "pending"}` });
    set(this.#button, { "aria-expanded": open ? "true" : "false" });
    set(this.#receipt, { hidden: !open });
    if (open) this.#showReceipt(operation, view);
  }

  /** A box for each acknowledgement that is needed; full ones are there; more are marked, too. */
  #showAcks(operation: Operation, view: RunView): void {
    const need = needed(operation, view);
    const { acknowledged } = operation;
    const names = acknowledged.map((node) => nodeName(view, node));
    rebuild(this.#acks, [need, names, operation.asks], () => [
      element("span", { class: "rule" }, operation.asks === "get" ? "R" : "W"),
      ...Array.from({ length: Math.max(need, names.length) }, (_, index) =>
        element("span", { class: `ack${index < names.length ? " full" : ""}${index >= need ? " more" : ""}`, "aria-hidden": "true" }),
      ),
      element("span", { class: "unseen" }, `${names.length} of ${need}${names.length > 0 ? `: ${listed(names)}` : ""}`),
    ]);
  }

  #showReceipt(operation: Operation, view: RunView): void {
    const lines = sentences(operation, view);
    rebuild(this.#receipt, [lines, operation.legs.length], () => [
      ...lines.map((line) => element("p", {}, line)),
      ...(operation.legs.length === 0 ? [] : messages(operation, view)),
    ]);
  }
}

/** The messages of a call, where they were seen: those of a live cluster are not. */
function messages(operation: Operation, view: RunView): (HTMLElement | SVGElement)[] {
  const { began, ended } = operation;
  const after = ended === undefined ? "" : ` after ${duration(ended - began)}`;
  const legend = `Each line is one message, its slope the time that it took; the upright one is the answer${after}.`;
  return [diagram(operation, view), element("p", { class: "quiet" }, legend)];
}
