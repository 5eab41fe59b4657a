// What panels may do: everything goes through the page, which tells the person what was wrong.

import type { Action, PlanView, PlannedMember } from "quorate/sim";

import type { Choice } from "../scene.js";
import type { Deed } from "../source.js";

export interface Hands {
  /** Does it, and answers the number of a call; what is refused is told, and answered with nothing. */
  act(action: Action): Promise<number | undefined>;
  /** Changes what is looked at. */
  choose(change: Partial<Choice>): void;
  plan(members: readonly PlannedMember[]): PlanView | { readonly refused: string };
  allows(deed: Deed): boolean;
  /** Says something to the person, also to one who does not see the picture. */
  tell(text: string): void;
}
