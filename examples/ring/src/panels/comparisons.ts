// The comparisons of replicas that found a difference: how each narrowed.

import { element, folded, rebuild, set } from "../element.js";
import type { Scene } from "../scene.js";
import type { Comparisons } from "../traffic/comparisons.js";
import { clockTime, nodeName } from "../words.js";

export class ComparisonPanel {
  readonly #comparisons: Comparisons;
  readonly #list = element("ol", { class: "comparisons" });
  readonly #none = element("p", { class: "quiet" }, "No comparison has found a difference yet. Replicas compare the roots of their trees all the time; where two differ, their branches, then keys.");
  readonly root = folded("Comparisons of replicas", { class: "card" }, this.#none, this.#list);

  constructor(comparisons: Comparisons) {
    this.#comparisons = comparisons;
  }

  update({ view }: Scene): void {
    if (!this.root.open) return;
    const comparisons = this.#comparisons.list();
    set(this.#none, { hidden: comparisons.length > 0 });
    rebuild(this.#list, comparisons, () =>
      comparisons.map(({ began, between: [asks, answers], steps }) =>
        element(
          "li",
          {},
          element("span", { class: "at" }, clockTime(began)),
          element(
            "div",
            {},
            element("strong", {}, `${nodeName(view, asks)} and ${nodeName(view, answers)}`),
            element("ol", { class: "narrowing" }, ...steps.map((step) => element("li", {}, step))),
          ),
        ),
      ),
    );
  }
}
