// What lies over the ring: the walk of a key, walls between nodes that cannot reach each other,
// links that are worse than usual, and who accuses whom.

import type { RunLocation, RunView } from "quorate/sim";

import { rebuild, shape } from "../element.js";
import type { Scene } from "../scene.js";
import {
  MARKS_INNER,
  MARKS_OUTER,
  SLOTS_INNER,
  SLOTS_OUTER,
  bendOf,
  nodePoint,
  nodeRadius,
  onCircle,
  slotPath,
  turnOfPosition,
} from "./geometry.js";
import type { Point } from "./geometry.js";
import { ownerClass } from "./palette.js";

const WALL_INNER = 150;
const KEY_OUTER = 399;
/** Inside of the slots stand the numbers of the primaries. */
const BADGES = 320;
const BADGE_TURN = 36 / (2 * Math.PI * BADGES);

export class Overlay {
  readonly layer = shape("g", { class: "overlay", "aria-hidden": "true" });
  readonly #walk = shape("g", { class: "walk" });
  readonly #walls = shape("g", { class: "walls" });
  readonly #links = shape("g", { class: "links" });
  readonly #witnesses = shape("g", { class: "witnesses" });

  constructor() {
    this.layer.append(this.#walls, this.#links, this.#witnesses, this.#walk);
  }

  update({ view, location, choice }: Scene): void {
    const count = view.nodes.length;
    const walk = choice.plan ? undefined : location;
    rebuild(this.#walk, [walk?.position, walk?.walk, view.owners.length, count], () =>
      walk ? drawWalk(walk, view) : [],
    );
    rebuild(this.#walls, [view.cuts, count], () => drawWalls(view));
    rebuild(this.#links, [view.links, count], () =>
      view.links.map(({ a, b }) => shape("path", { d: curve(nodePoint(a, count), nodePoint(b, count)) })),
    );
    const accusations = view.nodes.map(({ sees, up }) => (up ? sees.map((one) => one?.witnesses ?? []) : []));
    rebuild(this.#witnesses, [accusations, count], () => drawWitnesses(view));
  }
}

function drawWalk({ position, slot, walk }: RunLocation, view: RunView): SVGElement[] {
  const slots = view.owners.length;
  const count = view.nodes.length;
  const turn = turnOfPosition(position);
  const half = 9 / (2 * Math.PI * KEY_OUTER);
  const [tip, left, right] = [onCircle(SLOTS_OUTER - 6, turn), onCircle(KEY_OUTER, turn - half), onCircle(KEY_OUTER, turn + half)];
  const drawn: SVGElement[] = [
    shape("path", { class: "home", d: slotPath(slot, slots, SLOTS_INNER, MARKS_OUTER) }),
  ];
  let last = -1;
  for (const { slot: met, node, taken } of walk) {
    const mark = `${ownerClass(node)} ${taken === undefined ? "skipped" : "taken"}`;
    drawn.push(shape("path", { class: mark, d: slotPath(met, slots, MARKS_INNER, MARKS_OUTER) }));
    if (taken === undefined) continue;
    // Slots may be narrower than the numbers: those then stand side by side.
    const middle = Math.max((met + 0.5) / slots, last + BADGE_TURN);
    last = middle;
    const [from, to] = [onCircle(BADGES, middle), nodePoint(node, count)];
    drawn.push(shape("path", { class: `leader ${ownerClass(node)}`, d: short(from, to, nodeRadius(count) + 2) }));
    const badge = onCircle(BADGES, middle);
    drawn.push(
      shape(
        "g",
        { class: "badge", transform: `translate(${badge.x} ${badge.y})` },
        shape("circle", { r: 11 }),
        shape("text", { dy: "0.36em" }, String(taken + 1)),
      ),
    );
  }
  // Over all else: the position of the key itself.
  drawn.push(shape("path", { class: "key", d: `M${tip.x} ${tip.y}L${left.x} ${left.y}L${right.x} ${right.y}Z` }));
  return drawn;
}

/** A wall stands between two neighbours on the circle that cannot reach each other. */
function drawWalls({ nodes, cuts }: RunView): SVGElement[] {
  const count = nodes.length;
  const cut = new Set(cuts.map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`));
  return nodes.flatMap((_, node) => {
    const next = (node + 1) % count;
    if (!cut.has(`${Math.min(node, next)}-${Math.max(node, next)}`)) return [];
    const turn = (node + 0.5) / count;
    const [from, to] = [onCircle(WALL_INNER, turn), onCircle(SLOTS_INNER - 8, turn)];
    return [shape("path", { d: `M${from.x} ${from.y}L${to.x} ${to.y}` })];
  });
}

/** A line from each witness to the one that it accuses, drawn once, whoever repeats it. */
function drawWitnesses({ nodes }: RunView): SVGElement[] {
  const count = nodes.length;
  const accused = new Set<string>();
  for (const seer of nodes) {
    if (!seer.up) continue;
    for (const [node, seen] of seer.sees.entries()) {
      for (const witness of seen?.witnesses ?? []) accused.add(`${witness} ${node}`);
    }
  }
  return [...accused].map((pair) => {
    const [witness = 0, node = 0] = pair.split(" ").map(Number);
    return shape("path", { d: curve(nodePoint(witness, count), nodePoint(node, count)) });
  });
}

function curve(from: Point, to: Point): string {
  const bend = bendOf(from, to);
  return `M${from.x} ${from.y}Q${bend.x} ${bend.y} ${to.x} ${to.y}`;
}

/** A straight line that ends before it reaches a disc. */
function short(from: Point, to: Point, before: number): string {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const share = Math.max(0, (length - before) / length);
  return `M${from.x} ${from.y}L${from.x + (to.x - from.x) * share} ${from.y + (to.y - from.y) * share}`;
}

