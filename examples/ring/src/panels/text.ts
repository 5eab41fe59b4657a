// The whole state as text: all that the picture says, for whoever does not see it.

import type { RunView } from "quorate/sim";

import { element, folded, rebuild } from "../element.js";
import { describe as describeNode } from "../ring/nodes.js";
import { describe as describeSlot } from "../ring/slots.js";
import type { Scene } from "../scene.js";
import type { Message } from "../traffic/messages.js";
import { clockTime, counted, nodeName, placeName, short } from "../words.js";

/** Rebuilt at most this often, in real milliseconds: a text that flickers cannot be read. */
const EVERY_MS = 1_000;
const MESSAGES_SHOWN = 20;

export class StateText {
  readonly root: HTMLDetailsElement;
  readonly #body = element("div", { class: "state" });
  readonly #messages: () => readonly Message[];
  #built = -Infinity;

  constructor(messages: () => readonly Message[]) {
    this.#messages = messages;
    this.root = folded("Everything as text", { class: "card" }, this.#body);
    this.root.addEventListener("toggle", () => (this.#built = -Infinity));
  }

  update(scene: Scene, real: number): void {
    if (!this.root.open || real - this.#built < EVERY_MS) return;
    this.#built = real;
    const { view } = scene;
    const nodes = view.nodes.map((_, node) => `${describeNode(view, node)}${seen(view, node)}`);
    const slots = view.owners.map((_, slot) => describeSlot(scene, slot));
    const keys = view.keys.map(({ key, slot, siblings }) => `${short(key, 60)}: slot ${slot}, ${counted(siblings, "sibling")}`);
    const calls = view.clients.map(({ underWay }, client) => `${placeName(view, { client })}: ${counted(underWay, "call")} under way`);
    const cuts = view.cuts.map(([a, b]) => `Cut between ${nodeName(view, a)} and ${nodeName(view, b)}`);
    const flying = this.#messages()
      .filter(({ sort }) => sort !== "gossip")
      .slice(0, MESSAGES_SHOWN)
      .map(({ frame, from, to, lost }) => `${frame} from ${placeName(view, from)} to ${placeName(view, to)}${lost ? `, lost: ${lost}` : ""}`);
    const parts: [string, string[]][] = [
      ["Nodes", nodes],
      ["Clients", calls],
      ["Partitions", cuts],
      ["Messages on their way", flying],
      ["Keys", keys],
      ["Slots", slots],
    ];
    const moment = `At ${clockTime(view.now)}: N = ${view.replication}, R = ${view.r}, W = ${view.w}, layout ${view.version}.`;
    rebuild(this.#body, [moment, parts], () => [
      element("p", {}, moment),
      ...parts.flatMap(([title, lines]) => [
        element("h3", {}, title),
        lines.length === 0 ? element("p", { class: "quiet" }, "none") : element("ul", { tabindex: 0, "aria-label": title }, ...lines.map((line) => element("li", {}, line))),
      ]),
    ]);
  }
}

/** Who says of a node that it is suspect or down, and by whose word. */
function seen(view: RunView, node: number): string {
  const said = view.nodes.flatMap(({ up, sees }, seer) => {
    const sight = sees[node];
    return up && sight && sight.state !== "up" ? [`${nodeName(view, seer)} sees it ${sight.state}`] : [];
  });
  return said.length === 0 ? "" : `; ${said.join(", ")}`;
}
