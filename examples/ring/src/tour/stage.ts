// What the tour and the scenarios work with: the world as it is, what has happened in it, and hands.

import type { Action, Happening, RunLocation, RunOptions } from "quorate/sim";

import type { Hands } from "../panels/hands.js";
import type { Scene } from "../scene.js";
import type { Operation } from "../traffic/operations.js";

export interface Stage {
  readonly scene: Scene;
  /** All that happened from the beginning, without frames. */
  readonly happened: readonly Happening[];
  readonly hands: Hands;
}

/** A world to begin with: its options, what was done in it, and the moment to open. */
export interface Opening {
  readonly options: RunOptions;
  readonly actions: readonly (Action & { readonly at: number })[];
  readonly at: number;
  /** The key that is looked at. */
  readonly key: string;
}

/** Nodes find each other in the first seconds of a world. */
export const SETTLED_MS = 3_000;

/** The n-th primary of the key that is looked at, from 0. */
export function primary({ scene }: Stage, index: number): number {
  const primaries = scene.location?.nodes.filter((one) => one.primary) ?? [];
  return primaries[index]?.node ?? index;
}

/** The n-th call of the world that asks for this, from 0. */
export function nth({ scene }: Stage, asks: Operation["asks"], index: number): Operation | undefined {
  return scene.operations.list().filter((one) => one.asks === asks).reverse()[index];
}

/** Whether the first `count` calls that ask for this have ended well. */
export function ended(stage: Stage, asks: Operation["asks"], count: number): boolean {
  return Array.from({ length: count }, (_, index) => nth(stage, asks, index)).every(
    (one) => one?.outcome !== undefined && one.outcome.kind !== "failed",
  );
}

/** Hints that any node holds. */
export function hintsHeld({ scene: { view } }: Stage): number {
  return view.nodes.flatMap(({ hints }) => hints).reduce((sum, { count }) => sum + count, 0);
}

/** What a node holds of the key that is looked at, for itself. */
export function holds({ scene }: Stage, node: number): number {
  const own = scene.location?.nodes.find((one) => one.node === node && one.hintFor === undefined);
  return own?.siblings.length ?? 0;
}

/** Whether all primaries of a key hold the same, and something. */
export function alike(location: RunLocation | undefined): boolean {
  const copies = location?.nodes.filter((one) => one.primary) ?? [];
  const dots = copies.map(({ siblings }) => siblings.map(({ dot }) => dot).sort().join(" "));
  return dots.length > 0 && dots[0] !== "" && dots.every((one) => one === dots[0]);
}
