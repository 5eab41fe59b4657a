// One simulated world, and the way back in it.
//
// A run follows from its script alone. To go back the script is played once more, up to the moment
// wanted; what was done later happens again when its time comes. Whoever acts before that begins
// another course: the script is cut off there. Invariant: `#actions` is ordered by time, and all of
// it up to `now` was carried out in `#run`.

import { play } from "quorate/sim";
import type { Action, Happening, PlannedMember, Run, RunLocation, RunView, Script, RunOptions } from "quorate/sim";

import type { Deed, Source, Telling } from "../source.js";

/** A long way is gone in parts, so that the page can draw between them. */
const PART_MS = 2_000;

export class Session implements Source {
  readonly kind = "simulation";
  readonly options: RunOptions;
  #run: Run;
  #actions: Script["actions"];
  #horizon: number;

  private constructor(script: Script, run: Run) {
    this.options = script.options;
    this.#actions = script.actions;
    this.#run = run;
    this.#horizon = script.actions.at(-1)?.at ?? 0;
  }

  /** Starts a world, at time 0. */
  static async open(script: Script): Promise<Session> {
    return new Session(script, await play(script));
  }

  get now(): number {
    return this.#run.now;
  }

  get horizon(): number {
    return Math.max(this.#horizon, this.now);
  }

  /** What was done, and what will be done again. */
  get script(): Script {
    return { options: this.options, actions: this.#actions };
  }

  get forks(): boolean {
    return (this.#actions.at(-1)?.at ?? 0) > this.now;
  }

  allows(_deed: Deed): boolean {
    return true;
  }

  async act(action: Action): Promise<number | undefined> {
    if (this.forks) {
      const { now } = this;
      const actions = this.#actions.filter(({ at }) => at <= now);
      const run = await play({ options: this.options, actions });
      try {
        while (run.now < now) run.advance(Math.min(PART_MS, now - run.now));
      } catch (error) {
        run[Symbol.dispose]();
        throw error;
      }
      this.#replace(run);
      this.#actions = actions;
      this.#horizon = now;
    }
    const call = this.#run.act(action);
    this.#actions = this.#run.script().actions;
    return call;
  }

  advance(milliseconds: number): readonly Happening[] {
    try {
      const happened = this.#run.advance(milliseconds);
      this.#horizon = this.horizon;
      return happened;
    } catch (error) {
      // What cannot be done is left out.
      this.#actions = this.#run.script().actions;
      throw error;
    }
  }

  async *travel(to: number): AsyncGenerator<Telling> {
    const horizon = this.horizon;
    let again = to < this.now;
    if (again) {
      this.#replace(await play(this.script));
      this.#horizon = horizon;
    }
    do {
      const happened = this.advance(Math.min(PART_MS, Math.max(0, to - this.now)));
      yield { again, happened };
      again = false;
    } while (this.now < to);
  }

  view(): RunView {
    return this.#run.view();
  }

  locate(key: string): RunLocation {
    return this.#run.locate(key);
  }

  plan(members: readonly PlannedMember[]) {
    return this.#run.plan(members);
  }

  trace(): string {
    return this.#run.trace();
  }

  close(): void {
    this.#run[Symbol.dispose]();
  }

  #replace(run: Run): void {
    this.#run[Symbol.dispose]();
    this.#run = run;
  }
}
