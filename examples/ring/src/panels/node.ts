// One node: its state, what can be done to it, and how the others see it.

import type { RunNode, RunView } from "quorate/sim";

import { button, element, rebuild, say, set } from "../element.js";
import { stateOf } from "../ring/nodes.js";
import { ownerClass } from "../ring/palette.js";
import type { Scene } from "../scene.js";
import { counted, duration, nodeName, nodeNames } from "../words.js";
import type { Hands } from "./hands.js";

const CLOCK_JUMP_MS = 60_000;
/** Ages of heartbeats change all the time; a table that did so, too, could not be read. */
const AGE_STEP_MS = 100;

type NodeDeed = "crash" | "restart" | "wipe" | "pause" | "resume" | "stop";

const DEEDS: readonly { readonly deed: NodeDeed; readonly label: string; readonly title: string; fits(node: RunNode): boolean }[] = [
  { deed: "crash", label: "Kill", title: "As by kill -9: what was not synced is lost", fits: ({ up }) => up },
  { deed: "stop", label: "Stop", title: "A clean stop", fits: ({ up, paused }) => up && !paused },
  { deed: "pause", label: "Pause", title: "The process stands still", fits: ({ up, paused }) => up && !paused },
  { deed: "resume", label: "Resume", title: "The process goes on", fits: ({ up, paused }) => up && paused },
  { deed: "restart", label: "Restart", title: "On the disk that it left", fits: ({ up }) => !up },
  { deed: "wipe", label: "Wipe disk", title: "Empties the disk of a dead node", fits: ({ up }) => !up },
];

export class NodePanel {
  readonly root = element("section", { class: "card node-panel", "aria-label": "Node" });
  readonly #title = element("h2", {});
  readonly #facts = element("p", { class: "facts" });
  readonly #hints = element("p", { class: "facts" });
  readonly #deeds: readonly HTMLButtonElement[];
  readonly #clocks: readonly HTMLButtonElement[];
  readonly #seen = element("div");
  readonly #none = element("p", { class: "quiet" }, "Choose a node in the ring to see how it is.");
  readonly #body: HTMLElement;
  readonly #hands: Hands;
  #node = 0;

  constructor(hands: Hands) {
    this.#hands = hands;
    this.#deeds = DEEDS.map(({ deed, label, title }) =>
      button(label, () => void hands.act({ do: deed, node: this.#node }), { title, "data-deed": deed }),
    );
    const jump = (by: number) => () => void hands.act({ do: "clock", node: this.#node, by });
    this.#clocks = [
      button("Clock −1 min", jump(-CLOCK_JUMP_MS)),
      button("Clock +1 min", jump(CLOCK_JUMP_MS)),
    ];
    this.#body = element(
      "div",
      {},
      this.#facts,
      this.#hints,
      element("div", { class: "row" }, ...this.#deeds, ...this.#clocks),
      this.#seen,
    );
    this.root.append(this.#title, this.#none, this.#body);
  }

  update({ view, choice }: Scene): void {
    const node = choice.node === undefined ? undefined : view.nodes[choice.node];
    set(this.#none, { hidden: node !== undefined });
    set(this.#body, { hidden: node === undefined });
    say(this.#title, node?.label ?? "Nodes");
    if (!node || choice.node === undefined) return;
    this.#node = choice.node;
    say(this.#facts, facts(view, node, choice.node));
    const hints = node.hints.map((hint) => `${counted(hint.count, "hint")} for ${nodeName(view, hint.for)}`);
    say(this.#hints, hints.length === 0 ? "" : `Holds ${hints.join(", ")}.`);
    for (const [index, { deed, fits }] of DEEDS.entries()) {
      const made = this.#deeds[index];
      if (made) set(made, { hidden: !fits(node) || !this.#hands.allows(deed) });
    }
    for (const made of this.#clocks) set(made, { hidden: !this.#hands.allows("clock") });
    this.#showSeen(view, choice.node);
  }

  /** How each other node that is up sees this one. */
  #showSeen(view: RunView, number: number): void {
    const rows = view.nodes.flatMap(({ up, sees }, seer) => {
      const seen = sees[number];
      if (!up || seer === number || !seen) return [];
      const age = Math.floor(seen.age / AGE_STEP_MS) * AGE_STEP_MS;
      return [{ seer, state: seen.state, age, witnesses: seen.witnesses }];
    });
    rebuild(this.#seen, [rows, number], () => [
      element("h3", {}, "How the others see it"),
      element(
        "table",
        { class: "seen" },
        element("thead", {}, element("tr", {}, ...["By", "State", "Heartbeat", "Accused by"].map((name) => element("th", { scope: "col" }, name)))),
        element(
          "tbody",
          {},
          ...rows.map(({ seer, state, age, witnesses }) =>
            element(
              "tr",
              { class: state },
              element("th", { scope: "row" }, element("span", { class: `swatch ${ownerClass(seer)}`, "aria-hidden": "true" }), nodeName(view, seer)),
              element("td", {}, state),
              element("td", { class: "number" }, `${(age / 1000).toFixed(1)} s ago`),
              element("td", {}, witnesses.length === 0 ? "–" : nodeNames(view, witnesses)),
            ),
          ),
        ),
      ),
    ]);
  }
}

function facts(view: RunView, node: RunNode, number: number): string {
  const slots = view.owners.filter((owner) => owner === number).length;
  const parts = [
    stateOf(node),
    `zone ${node.zone}`,
    node.member ? `${counted(slots, "slot")}, weight ${node.weight}` : "in no layout",
    counted(node.records, "key"),
    counted(node.life, "start"),
    node.clock === 0 ? "" : `clock off by ${duration(Math.abs(node.clock))} ${node.clock < 0 ? "back" : "ahead"}`,
    node.slotsToFill > 0 ? `${counted(node.slotsToFill, "slot")} to fill` : "",
    node.layouts && node.layouts.oldest !== node.layouts.newest
      ? `layouts ${node.layouts.oldest} to ${node.layouts.newest} in force, reads by ${node.layouts.read}`
      : "",
  ];
  return `${parts.filter((part) => part !== "").join(" · ")}`;
}
