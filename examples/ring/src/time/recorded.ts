// A random run of the simulator, played back: what `cargo xtask sim --seed` does, as a picture.

import { playSeed } from "quorate/sim";
import type { Happening, Recording, RunView } from "quorate/sim";

import type { Source, Telling } from "../source.js";

const PART_MS = 5_000;

export class Recorded implements Source {
  readonly kind = "recording";
  readonly seed: number;
  readonly #recording: Recording;

  private constructor(seed: number, recording: Recording) {
    this.seed = seed;
    this.#recording = recording;
  }

  static async open(seed: number): Promise<Recorded> {
    return new Recorded(seed, await playSeed(seed));
  }

  get now(): number {
    return this.#recording.now;
  }

  get horizon(): number {
    return this.#recording.end;
  }

  get forks(): boolean {
    return false;
  }

  allows(): boolean {
    return false;
  }

  act(): Promise<number | undefined> {
    return Promise.reject(new Error("This run is over: it can be watched, but not changed."));
  }

  advance(milliseconds: number): readonly Happening[] {
    const left = this.#recording.end - this.#recording.now;
    return this.#recording.advance(Math.max(0, Math.min(milliseconds, left)));
  }

  async *travel(to: number): AsyncGenerator<Telling> {
    let again = to < this.now;
    if (again) this.#recording.seek(0);
    const end = Math.min(to, this.horizon);
    do {
      yield { again, happened: this.advance(Math.min(PART_MS, Math.max(0, end - this.now))) };
      again = false;
    } while (this.now < end);
  }

  view(): RunView {
    return this.#recording.view();
  }

  locate(): undefined {
    return undefined;
  }

  plan(): { readonly refused: string } {
    return { refused: "This run is over." };
  }

  trace(): string {
    return this.#recording.trace();
  }

  close(): void {
    this.#recording[Symbol.dispose]();
  }

  /** Whether a promise was broken. */
  get broken(): boolean {
    return this.#recording.replay.violation !== undefined;
  }

  /** In a sentence: what the run has to say. */
  get verdict(): string {
    const { replay, since } = this.#recording;
    const said = replay.violation ? `A promise was broken: ${replay.violation}.` : "Every promise was kept.";
    const cut = since > 0 ? ` What happened before ${Math.round(since / 1000)} s was too much to be kept.` : "";
    return `Seed ${this.seed}: ${replay.written} writes acknowledged, ${replay.read} reads answered. ${said}${cut}`;
  }
}
