// The nodes: a disc each, in the colour of its slots, with its state, and what the others say of it.

import type { RunNode, RunView } from "quorate/sim";

import { say, set, shape } from "../element.js";
import { focused } from "../scene.js";
import type { Scene } from "../scene.js";
import { counted, nodeNames, short } from "../words.js";
import { nodePoint, nodeRadius } from "./geometry.js";
import { linesOf, ownerClass } from "./palette.js";

/** With more nodes there is no room for words beside each. */
const WORDS_UP_TO = 12;
/** More letters do not fit into a disc. */
const NAME_LETTERS = 4;
/** A smaller disc has no room for rings. */
const RINGS_FROM = 14;

export class Nodes {
  readonly layer = shape("g", { class: "nodes" });
  readonly #discLayer = shape("g");
  /** What stands beside the discs; the names of the discs say it, too. */
  readonly #besideLayer = shape("g", { "aria-hidden": "true" });
  #discs: Disc[] = [];
  readonly #choose: (node: number) => void;
  readonly #point: (node: number | undefined) => void;

  constructor(choose: (node: number) => void, point: (node: number | undefined) => void) {
    this.#choose = choose;
    this.#point = point;
    this.layer.append(this.#discLayer, this.#besideLayer);
  }

  update(scene: Scene): void {
    const { nodes } = scene.view;
    if (this.#discs.length !== nodes.length) {
      this.#discs = nodes.map((_, node) => new Disc(node, nodes.length, this.#choose, this.#point));
      this.#discLayer.replaceChildren(...this.#discs.map(({ group }) => group));
      this.#besideLayer.replaceChildren(...this.#discs.map(({ beside }) => beside));
    }
    for (const disc of this.#discs) disc.update(scene);
  }
}

class Disc {
  readonly group: SVGGElement;
  readonly beside: SVGGElement;
  readonly #node: number;
  readonly #count: number;
  readonly #sign: SVGPathElement;
  readonly #name: SVGTextElement;
  readonly #words: SVGTextElement;
  readonly #hints: SVGGElement;
  readonly #hintCount = shape("text", { class: "count", dy: "0.36em" });

  constructor(node: number, count: number, choose: (node: number) => void, point: (node: number | undefined) => void) {
    this.#node = node;
    this.#count = count;
    const { x, y } = nodePoint(node, count);
    const radius = nodeRadius(count);
    const halo = shape("circle", { class: "halo", r: radius + 6 });
    const choice = shape("circle", { class: "choice", r: radius + 11 });
    const disc = shape("circle", { class: "disc", r: radius });
    this.#sign = shape("path", { class: "sign" });
    this.#name = shape("text", { class: "name", dy: "0.36em" });
    this.#words = shape("text", { class: "words", y: radius + 27 });
    this.#hints = shape(
      "g",
      { class: "hints", transform: `translate(${radius * 0.85} ${-radius * 0.85})` },
      shape("circle", { r: Math.max(8, radius * 0.42) }),
      this.#hintCount,
    );
    this.group = shape(
      "g",
      { transform: `translate(${x} ${y})`, role: "button", tabindex: 0, "data-name": `node ${node}` },
      choice,
      halo,
      disc,
      this.#sign,
      this.#name,
    );
    this.beside = shape("g", { transform: `translate(${x} ${y})` }, this.#words, this.#hints);
    this.#name.setAttribute("class", count > 24 ? "name tiny" : count > WORDS_UP_TO ? "name small" : "name");
    this.group.addEventListener("click", () => choose(node));
    this.group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose(node);
    });
    for (const name of ["pointerenter", "focus"]) this.group.addEventListener(name, () => point(node));
    for (const name of ["pointerleave", "blur"]) this.group.addEventListener(name, () => point(undefined));
  }

  update(scene: Scene): void {
    const { view } = scene;
    const node = view.nodes[this.#node];
    if (!node) return;
    const chosen = scene.choice.node === this.#node;
    const verdict = worst(view, this.#node);
    const primary = scene.location?.nodes.find((one) => one.node === this.#node)?.primary ?? false;
    const classes = [
      "node",
      node.member ? ownerClass(this.#node) : "owner-none",
      node.up ? (node.paused ? "paused" : "up") : "gone",
      verdict,
      chosen ? "chosen" : "",
      primary ? "primary" : "",
      focused(scene) === this.#node ? "pointed" : "",
    ];
    set(this.group, {
      class: classes.filter((name) => name !== "").join(" "),
      "aria-pressed": chosen ? "true" : "false",
      "aria-label": describe(view, this.#node),
    });
    set(this.beside, { class: node.up && !node.paused ? "beside" : "beside gone" });
    const radius = nodeRadius(this.#count);
    set(this.#sign, { d: node.up ? (node.paused ? bars(radius) : doubled(this.#node, radius)) : cross(radius) });
    const long = node.label.length > NAME_LETTERS;
    say(this.#name, this.#count > 24 ? String(this.#node) : long ? brief(node.label) : node.label);
    const beside = words(view, node);
    say(this.#words, this.#count > WORDS_UP_TO ? "" : long ? `${short(node.label, 14)} · ${beside}` : beside);
    const hints = node.hints.reduce((sum, { count }) => sum + count, 0);
    set(this.#hints, { class: hints === 0 ? "hints none" : "hints" });
    say(this.#hintCount, String(hints));
  }
}

/** The worst that any node which is up says of a node. */
export function worst(view: RunView, node: number): "" | "suspect" | "down" {
  let verdict: "" | "suspect" | "down" = "";
  for (const seer of view.nodes) {
    const state = seer.up ? seer.sees[node]?.state : undefined;
    if (state === "down") return "down";
    if (state === "suspect") verdict = "suspect";
  }
  return verdict;
}

/** A node in words, whole. */
export function describe(view: RunView, number: number): string {
  const node = view.nodes[number];
  if (!node) return "";
  const slots = view.owners.filter((owner) => owner === number).length;
  const hints = node.hints.map((hint) => `${counted(hint.count, "hint")} for ${nodeNames(view, [hint.for])}`);
  const verdict = worst(view, number);
  return [
    node.label,
    `zone ${node.zone}`,
    stateOf(node),
    verdict === "" ? "" : verdict === "down" ? "others say that it is down" : "suspected",
    node.member ? counted(slots, "slot") : "in no layout",
    counted(node.records, "key"),
    node.slotsToFill > 0 ? `${counted(node.slotsToFill, "slot")} to fill` : "",
    ...hints,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

export function stateOf(node: RunNode): string {
  return node.up ? (node.paused ? "paused" : "up") : "dead";
}

/** What tells a long name from others of its kind: the number at its end, or else its beginning. */
function brief(label: string): string {
  return /\d{1,4}$/.exec(label)?.[0] ?? short(label, NAME_LETTERS);
}

function words(view: RunView, node: RunNode): string {
  const zones = new Set(view.nodes.map(({ zone }) => zone)).size;
  const zone = zones > 1 ? `${short(node.zone, 8)} · ` : "";
  if (!node.up) return `${zone}dead`;
  if (node.paused) return `${zone}paused`;
  if (node.slotsToFill > 0) return `${zone}${node.slotsToFill} to fill`;
  if (!node.member) return `${zone}spare`;
  return `${zone}${counted(node.records, "key")}`;
}

/** Rings inside of a disc, one for each line of the slots of its owner. */
function doubled(node: number, radius: number): string {
  return Array.from({ length: radius < RINGS_FROM ? 0 : linesOf(node) }, (_, line) => {
    const inner = radius - 3 - line * 3;
    return inner < 2 ? "" : `M${-inner} 0A${inner} ${inner} 0 1 1 ${inner} 0A${inner} ${inner} 0 1 1 ${-inner} 0`;
  }).join("");
}

function cross(radius: number): string {
  const arm = radius * 0.62;
  return `M${-arm} ${-arm}L${arm} ${arm}M${arm} ${-arm}L${-arm} ${arm}`;
}

/** Two bars over the name. */
function bars(radius: number): string {
  const [side, top, length] = [radius * 0.16, -radius * 0.85, radius * 0.38];
  return `M${-side} ${top}v${length}M${side} ${top}v${length}`;
}
