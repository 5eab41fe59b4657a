// A partition drawn by hand: a line across the ring divides the nodes on its two sides.

import { set, shape } from "../element.js";
import { across, leftOf } from "./geometry.js";
import type { Point } from "./geometry.js";

/** A shorter line is a click. */
const LENGTH_MIN = 60;

export class Cut {
  readonly line = shape("path", { class: "cut" });
  /** Whether a finger draws, too: else it scrolls the page. */
  armed = false;
  #from: Point | undefined;
  #to: Point | undefined;

  /**
   * @param nodes where the nodes stand
   * @param divided told the nodes on the smaller side; empty: the line divides nobody
   */
  constructor(svg: SVGSVGElement, nodes: () => readonly Point[], divided: (side: readonly number[]) => void) {
    svg.addEventListener("pointerdown", (event) => {
      // Whoever captures the pointer takes their clicks away.
      const onButton = event.target instanceof Element && event.target.closest(".node, .client") !== null;
      if (event.button !== 0 || onButton || (event.pointerType !== "mouse" && !this.armed)) return;
      this.#from = pointOf(svg, event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!this.#from) return;
      this.#to = pointOf(svg, event);
      this.#draw();
    });
    svg.addEventListener("pointerup", () => {
      const [from, to] = [this.#from, this.#to];
      this.#forget();
      if (!from || !to || Math.hypot(to.x - from.x, to.y - from.y) < LENGTH_MIN) return;
      const points = nodes();
      const left = leftOf(from, to, points);
      const right = points.map((_, node) => node).filter((node) => !left.includes(node));
      divided(left.length <= right.length ? left : right);
    });
    svg.addEventListener("pointercancel", () => this.#forget());
  }

  #draw(): void {
    const [from, to] = [this.#from, this.#to];
    const long = from && to && Math.hypot(to.x - from.x, to.y - from.y) >= LENGTH_MIN;
    if (!long) return set(this.line, { d: undefined });
    const [a, b] = across(from, to);
    set(this.line, { d: `M${a.x} ${a.y}L${b.x} ${b.y}` });
  }

  #forget(): void {
    this.#from = undefined;
    this.#to = undefined;
    this.#draw();
  }
}

/** Where an event of the pointer is, in the units of the picture. */
export function pointOf(svg: SVGSVGElement, event: MouseEvent): Point {
  const matrix = svg.getScreenCTM();
  if (!matrix) return { x: 0, y: 0 };
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  return { x, y };
}
