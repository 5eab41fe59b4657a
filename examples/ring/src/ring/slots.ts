// The band of slots: each in the colour of its owner, and what singles some of them out.

import { rebuild, set, shape } from "../element.js";
import { focused } from "../scene.js";
import type { Scene } from "../scene.js";
import { nodeName, nodeNames } from "../words.js";
import { MARKS_INNER, MARKS_OUTER, SLOTS_INNER, SLOTS_OUTER, slotPath } from "./geometry.js";
import { linesOf, ownerClass } from "./palette.js";

/** Along the middle of the band run the lines that tell owners of one colour apart. */
const LINE_WIDTH = 3;
const LINE_STEP_MAX = 8;

export class Slots {
  readonly band = shape("g", {
    class: "slots",
    role: "slider",
    tabindex: 0,
    "data-name": "slots",
    "aria-label": "Slot",
    "aria-valuemin": 0,
  });
  /** Slots that a plan would give to another owner, or of which the pointed node is a primary. */
  readonly marks = shape("g", { class: "marks" });
  readonly #arcs: SVGPathElement[] = [];
  readonly #lines = shape("g", { class: "lines" });

  update(scene: Scene): void {
    const { view, choice } = scene;
    const { owners } = view;
    this.#fit(owners.length);
    const node = focused(scene);
    for (const [slot, arc] of this.#arcs.entries()) {
      const owner = owners[slot];
      const dimmed = node !== undefined && owner !== node;
      const pointed = slot === choice.pointedSlot;
      set(arc, {
        class: `slot ${ownerClass(owner)}${dimmed ? " dimmed" : ""}${pointed ? " pointed" : ""}`,
      });
    }
    rebuild(this.#lines, owners.map(linesOf), () => owners.flatMap((owner, slot) => lines(owner, slot, owners.length)));
    this.#mark(scene, node);
    set(this.band, {
      "aria-valuemax": owners.length - 1,
      "aria-valuenow": choice.pointedSlot ?? 0,
      "aria-valuetext": describe(scene, choice.pointedSlot ?? 0),
    });
  }

  #fit(count: number): void {
    if (this.#arcs.length === count) return;
    this.#arcs.length = 0;
    for (let slot = 0; slot < count; slot += 1) {
      this.#arcs.push(shape("path", { d: slotPath(slot, count, SLOTS_INNER, SLOTS_OUTER) }));
    }
    this.band.replaceChildren(...this.#arcs, this.#lines);
  }

  #mark({ view, choice: { plan } }: Scene, node: number | undefined): void {
    const count = view.owners.length;
    const marks = view.owners.map((owner, slot) => {
      const next = plan?.owners[slot];
      if (next !== undefined && next !== owner) return ownerClass(next);
      if (plan || node === undefined) return "";
      return view.primaries[slot]?.includes(node) ? "primary" : "";
    });
    rebuild(this.marks, [count, marks], () =>
      marks.map((mark, slot) =>
        mark === ""
          ? undefined
          : shape("path", { class: `mark ${mark}`, d: slotPath(slot, count, MARKS_INNER, MARKS_OUTER) }),
      ),
    );
  }
}

/** A slot in words. */
export function describe({ view, choice: { plan } }: Scene, slot: number): string {
  const owner = view.owners[slot];
  if (owner === undefined) return "";
  const primaries = view.primaries[slot] ?? [];
  const next = plan?.owners[slot];
  const moves = next !== undefined && next !== owner ? `, would go to ${nodeName(view, next)}` : "";
  const held = primaries.length > 0 ? `, primaries ${nodeNames(view, primaries)}` : "";
  return `Slot ${slot} of ${view.owners.length}: owner ${nodeName(view, owner)}${held}${moves}`;
}

function lines(owner: number, slot: number, slots: number): SVGPathElement[] {
  const count = linesOf(owner);
  const step = Math.min(LINE_STEP_MAX, (SLOTS_OUTER - SLOTS_INNER) / (count + 1));
  const first = (SLOTS_INNER + SLOTS_OUTER - (count - 1) * step - LINE_WIDTH) / 2;
  return Array.from({ length: count }, (_, line) => {
    const inner = first + line * step;
    return shape("path", { d: slotPath(slot, slots, inner, inner + LINE_WIDTH) });
  });
}
