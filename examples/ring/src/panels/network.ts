// The network, and whole zones: what a drag across the ring does, and more, without a mouse.

import { button, element, folded, labelled, rebuild, say, set } from "../element.js";
import type { Scene } from "../scene.js";
import { duration, nodeName, nodeNames } from "../words.js";
import type { Hands } from "./hands.js";

const DELAYS = [0, 20, 200, 1_000] as const;
const LOSSES = [0, 100, 500, 1_000] as const;

export class Network {
  readonly root: HTMLDetailsElement;
  readonly #hands: Hands;
  readonly #state = element("p", { class: "quiet" });
  readonly #sides = element("fieldset", { class: "ticks" });
  readonly #partition: HTMLButtonElement;
  readonly #heal: HTMLButtonElement;
  readonly #zones = element("div", { class: "zones" });
  readonly #a = element("select", { "aria-label": "One end of the link" });
  readonly #b = element("select", { "aria-label": "Other end of the link" });
  readonly #delay = choices("Delay", DELAYS.map((ms) => [ms, ms === 0 ? "usual" : duration(ms)]));
  readonly #loss = choices("Loss", LOSSES.map((loss) => [loss, loss === 0 ? "none" : `${loss / 10} %`]));

  constructor(hands: Hands, arm: (armed: boolean) => void) {
    this.#hands = hands;
    this.#partition = button("Partition", () => this.#cut(), { "data-name": "partition" });
    this.#heal = button("Heal all", () => void hands.act({ do: "heal" }), { "data-name": "heal" });
    const draw = button("Draw with a finger", () => {
      const armed = draw.getAttribute("aria-pressed") !== "true";
      set(draw, { "aria-pressed": armed ? "true" : "false" });
      arm(armed);
    }, { "aria-pressed": "false", class: "touch" });
    this.root = folded(
      "Network and zones",
      { class: "card network" },
      element("p", { class: "quiet" }, "Drag a line across the ring to divide the nodes on its two sides; or tick those of one side. Clients reach everyone."),
      this.#sides,
      element("div", { class: "row" }, this.#partition, this.#heal, draw),
      this.#state,
      element("h3", {}, "A link between two nodes"),
      element("div", { class: "pair" }, labelled("From", this.#a), labelled("To", this.#b)),
      element("div", { class: "pair" }, labelled("Delay", this.#delay), labelled("Loss", this.#loss)),
      element("div", { class: "row" }, button("Set link", () => this.#setLink())),
      this.#zones,
    );
  }

  update({ view }: Scene): void {
    const names = view.nodes.map(({ label }) => label);
    rebuild(this.#sides, names, () => [
      element("legend", {}, "One side"),
      ...names.map((name, node) => {
        const tick = element("input", { type: "checkbox", value: node, "data-name": `side ${node}` });
        return labelled(name, tick, { class: "tick" });
      }),
    ]);
    for (const [index, select] of [this.#a, this.#b].entries()) {
      rebuild(select, names, () => names.map((name, node) => element("option", { value: node, selected: node === index }, name)));
    }
    set(this.#heal, { disabled: view.cuts.length === 0 });
    say(this.#state, stateOf(view.cuts, (node) => nodeName(view, node), view.links));
    const zones = [...new Set(view.nodes.map(({ zone }) => zone))].sort();
    const up = zones.map((zone) => view.nodes.some((node) => node.zone === zone && node.up));
    rebuild(this.#zones, [zones, up, names], () => [
      element("h3", {}, zones.length > 1 ? "A whole zone" : "All nodes are in one zone"),
      ...zones.map((zone, index) => {
        const nodes = view.nodes.flatMap((node, number) => (node.zone === zone ? [number] : []));
        return element(
          "div",
          { class: "row" },
          element("span", { class: "zone" }, `${zone}: ${nodeNames(view, nodes)}`),
          up[index]
            ? button("Kill", () => void this.#hands.act({ do: "crashZone", zone }), { "aria-label": `Kill zone ${zone}`, "data-name": `zone ${zone}` })
            : button("Restart", () => void this.#hands.act({ do: "restartZone", zone }), { "aria-label": `Restart zone ${zone}`, "data-name": `zone ${zone}` }),
        );
      }),
    ]);
  }

  #cut(): void {
    const ticked = this.#sides.querySelectorAll<HTMLInputElement>("input:checked");
    const side = Array.from(ticked, ({ value }) => Number(value));
    if (side.length === 0) return this.#hands.tell("Tick the nodes of one side first.");
    void this.#hands.act({ do: "partition", side });
  }

  #setLink(): void {
    const [a, b] = [Number(this.#a.value), Number(this.#b.value)];
    if (a === b) return this.#hands.tell("A link has two ends: choose two nodes.");
    const [delay, loss] = [Number(this.#delay.value), Number(this.#loss.value)];
    void this.#hands.act({ do: "link", a, b, ...(delay > 0 ? { delay } : {}), ...(loss > 0 ? { loss } : {}) });
  }
}

function stateOf(
  cuts: readonly (readonly [number, number])[],
  name: (node: number) => string,
  links: readonly { a: number; b: number; delay: number; loss: number }[],
): string {
  const said = cuts.length === 0 ? [] : [`Nothing gets through between ${cuts.map(([a, b]) => `${name(a)} and ${name(b)}`).join("; ")}.`];
  for (const { a, b, delay, loss } of links) {
    const delayed = delay > 0 ? `at least ${duration(delay)}` : "";
    const lossy = loss > 0 ? `${loss / 10} % lost` : "";
    said.push(`${name(a)} to ${name(b)}: ${[delayed, lossy].filter((part) => part !== "").join(", ")}.`);
  }
  return said.join(" ");
}

function choices(label: string, options: readonly (readonly [number, string])[]): HTMLSelectElement {
  return element("select", { "aria-label": label }, ...options.map(([value, text]) => element("option", { value }, text)));
}
