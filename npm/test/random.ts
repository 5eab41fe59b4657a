// Chance that can be had again: the same seed gives the same numbers.

export class Random {
  readonly seed: number;
  #state: number;

  /** `QUORATE_SEED`, else a seed that nobody chose. */
  constructor(seed = Number(process.env.QUORATE_SEED ?? Date.now() % 0xffff_ffff)) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** A whole number, at least 0 and less than `end` (splitmix, 32 bits). */
  below(end: number): number {
    this.#state = (this.#state + 0x9e37_79b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % end;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
