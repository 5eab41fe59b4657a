// Replicas that compare themselves: questions and answers between two nodes, from the roots of
// their trees down to the keys that differ. Most find nothing; what is kept is where one narrows.

import type { Happening, Place } from "quorate/sim";

type Frame = Extract<Happening, { kind: "frame" }>;

/** One comparison of two nodes, step by step. */
export interface Comparison {
  readonly began: number;
  readonly between: readonly [asks: number, answers: number];
  /** In the words of the simulator: how much was compared, and how much of it differed. */
  readonly steps: readonly string[];
}

type Draft = { began: number; between: readonly [number, number]; steps: string[] };

const KEPT_MAX = 12;
const STEPS_MAX = 40;

export class Comparisons {
  /** The comparison that each pair is in, by who asks whom. */
  readonly #open = new Map<string, Draft>();
  #narrowed: Draft[] = [];

  /** Those that found a difference, newest first. */
  list(): readonly Comparison[] {
    return this.#narrowed;
  }

  clear(): void {
    this.#open.clear();
    this.#narrowed = [];
  }

  add(frames: readonly Frame[]): void {
    for (const frame of frames) {
      const { from, to } = frame;
      if (frame.frame === "compare") this.#ask(numberOf(from), numberOf(to), frame);
      if (frame.frame === "compared") this.#answer(numberOf(to), numberOf(from), frame);
    }
  }

  #ask(asks: number, answers: number, { at, note }: Frame): void {
    const name = `${asks} ${answers}`;
    const words = wordsOf(note);
    const open = this.#open.get(name);
    // From the roots on, it is another comparison.
    if (!open || startsAnew(open, words)) {
      this.#open.set(name, { began: at, between: [asks, answers], steps: [words] });
    } else if (open.steps.length < STEPS_MAX) open.steps.push(words);
  }

  #answer(asks: number, answers: number, { note }: Frame): void {
    const open = this.#open.get(`${asks} ${answers}`);
    if (!open || open.steps.length >= STEPS_MAX) return;
    open.steps.push(wordsOf(note));
    if (!differs(note) || this.#narrowed.includes(open)) return;
    this.#narrowed.unshift(open);
    this.#narrowed.length = Math.min(this.#narrowed.length, KEPT_MAX);
  }
}

/** Whether a frame of a comparison is about something that differs. */
export function differs(note: string): boolean {
  const found = /(\d+) (?:branches|keys) differ/.exec(note);
  return found ? Number(found[1]) > 0 : /\d+ (?:states|keys|records)|everything/.test(note);
}

/** A question about branches, after an answer that left none. */
function startsAnew({ steps }: Draft, words: string): boolean {
  const last = steps.at(-1) ?? "";
  return /^\d+ branch(?:es)?$/.test(words) && !/[1-9]\d* branch(?:es)? differ/.test(last);
}

/** What is said, without the number of the question, and in good English where it is about one. */
function wordsOf(note: string): string {
  return note
    .replace(/^\S*:\d+ /, "")
    .replace(/\b1 branches/, "1 branch")
    .replace(/\b1 (key|state|record)s/, "1 $1")
    .replace(/\b1 (branch|key) differ\b/, "1 $1 differs");
}

function numberOf(place: Place): number {
  return "node" in place ? place.node : -1;
}
