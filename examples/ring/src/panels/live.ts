// A live cluster in a few numbers, and what needs attention.

import { element, rebuild } from "../element.js";
import type { Rates } from "../live/cluster.js";
import type { Scene } from "../scene.js";
import { duration } from "../words.js";

/** The calls of this page whose times are looked at. */
const CALLS_SEEN = 20;

export class LivePanel {
  readonly root = element("section", { class: "card live", "aria-labelledby": "live-title" });

  update({ operations, view }: Scene, rates: Rates): void {
    const took = operations.list().slice(0, CALLS_SEEN).flatMap(({ began, ended }) => (ended === undefined ? [] : [ended - began]));
    const median = took.sort((a, b) => a - b)[Math.floor(took.length / 2)];
    const up = view.nodes.filter((node) => node.up).length;
    const figures: [string, string][] = [
      ["Nodes up", `${up} of ${view.nodes.length}`],
      ["Reads a second", String(rates.gets)],
      ["Writes a second", String(rates.puts)],
      ["Hints waiting", String(rates.hints)],
      ["Repairs a second", String(rates.repairs)],
      ["This page’s calls", median === undefined ? "–" : `${duration(median)} median`],
    ];
    rebuild(this.root, [figures, rates], () => [
      element("h2", { id: "live-title" }, "Live cluster"),
      element("p", { class: "quiet" }, rates.writes ? "These nodes are real, and so is what you write." : "These nodes are real. This page may read, and not write."),
      element("dl", { class: "figures" }, ...figures.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
      rates.silent === undefined ? undefined : element("p", { class: "notice" }, `The nodes cannot be asked: ${rates.silent}`),
      ...rates.attention.map((text) => element("p", { class: "seen-words" }, text)),
      element("p", {}, element("a", { href: "?tour", "data-name": "tour" }, "Take the tour in a simulated cluster")),
    ]);
  }
}
