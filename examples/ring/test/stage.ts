// A world without a page: what the tour and the scenarios see of it, and a person's hands.

import type { Happening } from "quorate/sim";

import type { Hands } from "../src/panels/hands.js";
import { nothingChosen } from "../src/scene.js";
import { Session } from "../src/time/session.js";
import type { Opening, Stage } from "../src/tour/stage.js";
import { Operations } from "../src/traffic/operations.js";

/** Waits are bounded: a world in which nothing comes about by then has a bug. */
const WAIT_MAX_MS = 240_000;
const PART_MS = 50;

export class Table {
  readonly session: Session;
  readonly #choice = nothingChosen();
  readonly #operations = new Operations();
  readonly #happened: Happening[] = [];
  /** What the person was told. */
  readonly told: string[] = [];

  private constructor(session: Session, key: string) {
    this.session = session;
    this.#choice.key = key;
  }

  static async open({ options, actions, at, key }: Opening): Promise<Table> {
    const table = new Table(await Session.open({ options, actions }), key);
    for await (const { happened } of table.session.travel(at)) table.#note(happened);
    return table;
  }

  get stage(): Stage {
    const { key } = this.#choice;
    const location = key === "" ? undefined : this.session.locate(key);
    const scene = { source: this.session, view: this.session.view(), location, choice: this.#choice, operations: this.#operations };
    return { scene, happened: this.#happened, hands: this.#hands() };
  }

  /** Lets time pass until the world is so. */
  wait(until: (stage: Stage) => boolean): void {
    const end = this.session.now + WAIT_MAX_MS;
    while (!until(this.stage)) {
      if (this.session.now >= end) throw new Error(`It did not come about within ${WAIT_MAX_MS} ms: ${until}`);
      this.#note(this.session.advance(PART_MS));
    }
  }

  pass(milliseconds: number): void {
    this.#note(this.session.advance(milliseconds));
  }

  #note(happened: readonly Happening[]): void {
    this.#operations.add(happened);
    this.#operations.settle(this.session.now);
    this.#happened.push(...happened.filter(({ kind }) => kind !== "frame" && kind !== "dropped"));
  }

  #hands(): Hands {
    return {
      act: (action) => this.session.act(action),
      choose: (change) => void Object.assign(this.#choice, change),
      plan: (members) => this.session.plan(members),
      allows: (deed) => this.session.allows(deed),
      tell: (text) => void this.told.push(text),
    };
  }
}
