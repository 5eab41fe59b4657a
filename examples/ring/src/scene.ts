// What one moment looks like: all that the picture and the panels draw from, and what was chosen.

import type { PlanView, PlannedMember, RunLocation, RunView } from "quorate/sim";

import type { Source } from "./source.js";
import type { Operations } from "./traffic/operations.js";

/** What a person looks at. */
export interface Choice {
  /** The key in the field; empty: none. */
  key: string;
  node: number | undefined;
  /** Under the pointer, or where the keyboard is. */
  pointedNode: number | undefined;
  pointedSlot: number | undefined;
  /** The call whose receipt is open. */
  call: number | undefined;
  /** The client that asks. */
  client: number;
  /** What a change of the layout would do. */
  plan: PlanView | undefined;
  /** The members of that change; `undefined`: those of the layout in force. */
  staged: readonly PlannedMember[] | undefined;
}

export interface Scene {
  readonly source: Source;
  readonly view: RunView;
  /** Where the key lives, if one is chosen. */
  readonly location: RunLocation | undefined;
  readonly choice: Choice;
  readonly operations: Operations;
}

export function nothingChosen(): Choice {
  return {
    key: "",
    node: undefined,
    pointedNode: undefined,
    pointedSlot: undefined,
    call: undefined,
    client: 0,
    plan: undefined,
    staged: undefined,
  };
}

/** The node that the picture singles out. */
export function focused({ choice }: Scene): number | undefined {
  return choice.pointedNode ?? choice.node;
}
