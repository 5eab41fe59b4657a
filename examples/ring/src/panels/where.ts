// Where a key lives: its hash, the walk to its preference list, and what each node holds of it.

import { element, rebuild, set } from "../element.js";
import { ownerClass } from "../ring/palette.js";
import type { Scene } from "../scene.js";
import { nodeName, short } from "../words.js";
import type { RunLocation, RunView } from "quorate/sim";

const REASONS = { "taken before": "it is on the list already", zone: "its zone is on the list already" } as const;

export class Where {
  readonly root = element("section", { class: "card where", "aria-label": "Where the key lives" });

  update({ location, choice, view, source }: Scene): void {
    set(this.root, { hidden: location === undefined });
    if (!location) return;
    const names = view.nodes.map(({ label, up }) => [label, up]);
    rebuild(this.root, [choice.key, location, names], () => [
      element("h2", {}, `Where “${short(choice.key)}” lives`),
      element("p", { class: "hash" }, "MD5 ", element("code", {}, location.position), ` falls into slot ${location.slot}.`),
      location.walk.length > 0 ? walk(location, view) : undefined,
      source.kind === "live" ? order(location, view) : holders(location, view),
    ]);
  }
}

function walk({ walk }: RunLocation, view: RunView): HTMLElement {
  const steps = walk.map(({ slot, node, taken, skipped }) =>
    element(
      "li",
      { class: taken === undefined ? "skipped" : "taken" },
      element("span", { class: `swatch ${ownerClass(node)}`, "aria-hidden": "true" }),
      `slot ${slot}: ${nodeName(view, node)}, `,
      taken === undefined ? `skipped, ${REASONS[skipped ?? "taken before"]}` : element("strong", {}, `primary ${taken + 1}`),
    ),
  );
  return element("ol", { class: "steps", "aria-label": "The walk along the ring" }, ...steps);
}

/** The preference list by name: what each node holds is not told by a live one. */
function order({ nodes }: RunLocation, view: RunView): HTMLElement {
  const steps = nodes.map(({ node, primary }) =>
    element(
      "li",
      { class: primary ? "taken" : "skipped" },
      element("span", { class: `swatch ${ownerClass(node)}`, "aria-hidden": "true" }),
      `${nodeName(view, node)}, ${primary ? "primary" : "fallback"}`,
    ),
  );
  return element("ol", { class: "steps", "aria-label": "The preference list" }, ...steps);
}

/** Those that hold something, and the primaries, which should. */
function holders({ nodes }: RunLocation, view: RunView): HTMLElement {
  const shown = nodes.filter(({ primary, siblings }) => primary || siblings.length > 0);
  const rows = shown.map(({ node, primary, siblings, hintFor }) => {
    const role = hintFor !== undefined ? `hint for ${nodeName(view, hintFor)}` : primary ? "primary" : "fallback";
    const held = siblings.map(({ value, dot }) =>
      element(
        "li",
        {},
        value === null ? element("em", {}, "deleted") : element("span", { class: "value" }, short(value, 40)),
        element("code", { class: "dot" }, dot),
      ),
    );
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, nodeName(view, node)),
      element("td", {}, view.nodes[node]?.up ? role : `${role}, dead`),
      element("td", {}, held.length === 0 ? element("span", { class: "quiet" }, "nothing") : element("ul", { class: "held" }, ...held)),
    );
  });
  return element(
    "table",
    { class: "holders" },
    element("caption", { class: "unseen" }, "What each node holds of the key"),
    element("thead", {}, element("tr", {}, ...["Node", "As", "Holds"].map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows),
  );
}
