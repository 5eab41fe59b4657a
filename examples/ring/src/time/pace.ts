// How fast virtual time goes.
//
// Messages take about a millisecond and timeouts seconds, so no single speed shows both. While
// something that a person waits for is on its way, the soonest to arrive takes most of a second of
// the screen; when nothing is, time gathers speed, up to the usual pace of waiting.

/** What a message on its way takes of real time. */
const FLIGHT_SHOWN_MS = 900;
/** Time never goes slower than this, in virtual milliseconds per real one. */
const SLOWEST = 0.0002;
/** The pace of waiting: a virtual second a second. */
const WAITING = 1;
/** Where time begins to gather speed, and the real milliseconds in which it doubles. */
const CALM_FROM = 0.001;
const CALM_DOUBLES_MS = 110;
/** The largest steps, in virtual milliseconds: small where a message may come out of them. */
const STEP_BUSY = 0.25;
const STEP_CALM = 2;
/** Bounds the steps of one frame. */
const STEPS_MAX = 120;

export const FACTORS = [0.1, 0.25, 0.5, 1, 2, 5, 20] as const;

/** What the pace goes by. */
export interface Traffic {
  /** How long the soonest message worth watching is under way in all; `undefined`: there is none. */
  readonly shortest: number | undefined;
  /** Whether a call is under way. */
  readonly busy: boolean;
}

export class Pace {
  playing = true;
  /** What a person chose: a multiple of the pace that the page finds. */
  factor = 1;
  /** The same, for as long as the tour waits for something. */
  haste = 1;
  /** Real milliseconds since a message worth watching was on its way. */
  #calm = 0;

  /** Virtual milliseconds per real one. */
  speed({ shortest }: Traffic): number {
    const unscaled =
      shortest === undefined
        ? Math.min(WAITING, CALM_FROM * 2 ** (this.#calm / CALM_DOUBLES_MS))
        : Math.min(WAITING, Math.max(SLOWEST, shortest / FLIGHT_SHOWN_MS));
    return unscaled * this.factor * this.haste;
  }

  /** Lets a frame's time pass in steps, and looks at the traffic between them. */
  frame(realMs: number, traffic: () => Traffic, advance: (virtualMs: number) => void): void {
    if (!this.playing) return;
    let left = realMs;
    for (let step = 0; step < STEPS_MAX && left > 0; step += 1) {
      const state = traffic();
      const speed = this.speed(state);
      const stepMax = (state.busy ? STEP_BUSY : STEP_CALM) * Math.max(1, this.factor * this.haste);
      const virtual = Math.min(speed * left, stepMax);
      const real = virtual / speed;
      this.#calm = state.shortest === undefined ? this.#calm + real : 0;
      left -= real;
      advance(virtual);
    }
  }

  /** Slow again: something new begins. */
  wake(): void {
    this.#calm = 0;
  }
}
