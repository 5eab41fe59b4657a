// The ring: slots, nodes, clients, and what lies over them, in one SVG.

import { element, rebuild, set, shape } from "../element.js";
import type { Scene } from "../scene.js";
import { clientName } from "../words.js";
import { Cut, pointOf } from "./cut.js";
import { HALF, clientPoint, nodePoint, slotAt } from "./geometry.js";
import { Nodes } from "./nodes.js";
import { Overlay } from "./overlay.js";
import { Slots } from "./slots.js";

/** What a person does on the picture. */
export interface PictureEvents {
  chooseNode(node: number): void;
  pointNode(node: number | undefined): void;
  pointSlot(slot: number | undefined): void;
  chooseClient(client: number): void;
  cut(side: readonly number[]): void;
}

export class Picture {
  readonly svg = shape("svg", {
    class: "ring",
    viewBox: `${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`,
    role: "group",
    "aria-label": "The ring: slots, and inside of it the nodes and the clients",
  });
  readonly canvas = element("canvas", { class: "messages", "aria-hidden": "true" });
  /** Messages pass below the discs, so that no name is covered. */
  readonly frame = element("div", { class: "picture" }, this.canvas, this.svg);
  readonly cut: Cut;
  readonly #slots = new Slots();
  readonly #overlay = new Overlay();
  readonly #nodes: Nodes;
  readonly #clients = shape("g", { class: "clients" });
  readonly #events: PictureEvents;
  #scene: Scene | undefined;

  constructor(events: PictureEvents) {
    this.#events = events;
    this.#nodes = new Nodes(events.chooseNode, events.pointNode);
    const points = () => {
      const count = this.#scene?.view.nodes.length ?? 0;
      return Array.from({ length: count }, (_, node) => nodePoint(node, count));
    };
    this.cut = new Cut(this.svg, points, events.cut);
    this.svg.append(
      this.#slots.band,
      this.#slots.marks,
      this.#overlay.layer,
      this.#clients,
      this.#nodes.layer,
      this.cut.line,
    );
    this.svg.addEventListener("pointermove", (event) => this.#pointSlot(slotAt(pointOf(this.svg, event), this.#slotCount)));
    this.svg.addEventListener("pointerleave", () => this.#pointSlot(undefined));
    this.#slots.band.addEventListener("keydown", (event) => this.#walkSlots(event));
    this.#slots.band.addEventListener("blur", () => this.#pointSlot(undefined));
  }

  update(scene: Scene): void {
    this.#scene = scene;
    this.#slots.update(scene);
    this.#overlay.update(scene);
    this.#nodes.update(scene);
    const count = scene.view.clients.length;
    rebuild(this.#clients, [count, scene.choice.client], () => this.#drawClients(count, scene.choice.client));
    set(this.svg, { class: this.cut.armed ? "ring armed" : "ring" });
  }

  get #slotCount(): number {
    return this.#scene?.view.owners.length ?? 1;
  }

  #pointSlot(slot: number | undefined): void {
    if (slot !== this.#scene?.choice.pointedSlot) this.#events.pointSlot(slot);
  }

  #walkSlots(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 8, PageDown: -8 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const slot = this.#scene?.choice.pointedSlot ?? 0;
    this.#pointSlot((slot + step + this.#slotCount) % this.#slotCount);
  }

  #drawClients(count: number, chosen: number): SVGElement[] {
    return Array.from({ length: count }, (_, client) => {
      const { x, y } = clientPoint(client, count);
      const group = shape(
        "g",
        {
          class: client === chosen ? "client chosen" : "client",
          transform: `translate(${x} ${y})`,
          role: "button",
          tabindex: 0,
          "data-name": `client ${client}`,
          "aria-pressed": client === chosen ? "true" : "false",
          "aria-label": `Client ${clientName(client)}`,
        },
        shape("rect", { x: -19, y: -19, width: 38, height: 38, rx: 8 }),
        shape("text", { dy: "0.36em" }, clientName(client)),
      );
      group.addEventListener("click", () => this.#events.chooseClient(client));
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.#events.chooseClient(client);
      });
      return group;
    });
  }
}
