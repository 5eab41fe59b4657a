// What the page draws from. A simulation is one source, a recorded run of a seed another; a live
// cluster can be a third, whose `advance` answers what was heard since it was last asked.

import type { Action, Happening, PlanView, PlannedMember, RunLocation, RunView } from "quorate/sim";

export type Deed = Action["do"];

/** A part of what happened on the way to a moment; `again`: all before it is told anew. */
export interface Telling {
  readonly again: boolean;
  readonly happened: readonly Happening[];
}

export interface Source {
  readonly kind: "simulation" | "recording" | "live";
  /** Time in milliseconds since the beginning. */
  readonly now: number;
  /** How far time has been seen: a source may go back, and forward to here again. */
  readonly horizon: number;
  /** Whether later actions wait, which the next one of a person would cut off. */
  readonly forks: boolean;
  /** Whether a person may do this here. */
  allows(deed: Deed): boolean;
  /** Does it; answers the number of the call of a get, put or delete. */
  act(action: Action): Promise<number | undefined>;
  /** Lets time pass; answers what happened, in order. */
  advance(milliseconds: number): readonly Happening[];
  /** Goes to a moment, forward or back, and tells what happened up to there, in parts. */
  travel(to: number): AsyncGenerator<Telling>;
  view(): RunView;
  /** Where a key lives; `undefined`: this source cannot say. */
  locate(key: string): RunLocation | undefined;
  plan(members: readonly PlannedMember[]): PlanView | { readonly refused: string };
  /** The hash of all that happened up to now. */
  trace(): string;
  close(): void;
}
