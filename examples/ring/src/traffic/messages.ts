// Messages on their way, from the happenings of the world. Nothing here draws.

import type { Happening, Place } from "quorate/sim";

import { differs } from "./comparisons.js";

/** What a person sees a message as. */
export type Sort = "call" | "copy" | "compare" | "gossip";

export interface Message {
  readonly frame: string;
  readonly sort: Sort;
  readonly from: Place;
  readonly to: Place;
  readonly cause: number | undefined;
  readonly note: string;
  /** When it was first seen: its way begins there on the screen. */
  readonly sent: number;
  /** When it arrives, or, of a lost one, when it would have. */
  readonly arrives: number;
  readonly lost: string | undefined;
  /** Whether it is shown longer than it takes, since time passes too quickly to see it. */
  readonly stretched: boolean;
}

type Frame = Extract<Happening, { kind: "frame" }>;
type Dropped = Extract<Happening, { kind: "dropped" }>;

const CALLS = ["get", "put", "delete", "reply"];
/** How long a lost message is seen: as long as a usual one. */
const LOST_MS = 0.9;
/** More are not drawn: the screen would show nothing of them. */
const MESSAGES_MAX = 2_000;

export function sortOf(frame: string): Sort {
  if (CALLS.includes(frame)) return "call";
  if (frame.startsWith("replica")) return "copy";
  if (frame.startsWith("compare")) return "compare";
  return "gossip";
}

export class Messages {
  #flying: Message[] = [];
  /** Whether comparisons that find a difference are worth watching: one step of the tour is about them. */
  watchComparisons = false;

  get flying(): readonly Message[] {
    return this.#flying;
  }

  /**
   * Takes in what was sent. `now` is when the page looks; a message that would be over within
   * `shown` virtual milliseconds is stretched to that.
   */
  add(frames: readonly Frame[], now: number, shown: number): void {
    for (const frame of frames) {
      const arrives = arrivalOf(frame);
      const stretched = arrives - frame.at < shown;
      this.#take(frame, now, stretched ? now + shown : Math.max(arrives, now), stretched);
    }
  }

  /** Takes in what is on its way at a moment that the page jumped to. */
  resume(frames: readonly Frame[], now: number): void {
    for (const frame of frames) {
      if (frame.at <= now && arrivalOf(frame) > now) this.#take(frame, frame.at, arrivalOf(frame), false);
    }
  }

  /** A frame that was on its way does not arrive after all: it is seen to be lost. */
  drop(frames: readonly Dropped[], now: number): void {
    for (const { frame, from, to, lost } of frames) {
      const gone = (message: Message) =>
        message.frame === frame && message.lost === undefined && same(message.from, from) && same(message.to, to);
      const index = this.#flying.findIndex(gone);
      const message = this.#flying[index];
      if (message) this.#flying[index] = { ...message, lost, sent: now - LOST_MS, arrives: now + LOST_MS };
    }
  }

  /** Lets go of what has arrived; and of what was stretched, once time passes slowly again. */
  settle(now: number, slow: boolean): void {
    this.#flying = this.#flying.filter(
      ({ arrives, stretched }) => arrives > now && !(stretched && slow),
    );
  }

  /** How long the soonest message that a person waits for is under way in all. */
  shortest(now: number): number | undefined {
    let shortest: number | undefined;
    for (const message of this.#flying) {
      if (message.stretched || message.arrives <= now || !this.#worth(message)) continue;
      const duration = message.arrives - message.sent;
      if (shortest === undefined || duration < shortest) shortest = duration;
    }
    return shortest;
  }

  clear(): void {
    this.#flying = [];
  }

  #take({ frame, from, to, cause, note, lost }: Frame, sent: number, arrives: number, stretched: boolean): void {
    if (this.#flying.length >= MESSAGES_MAX) return;
    this.#flying.push({ frame, sort: sortOf(frame), from, to, cause, note, sent, arrives, lost, stretched });
  }

  #worth({ sort, note }: Message): boolean {
    if (sort === "compare") return this.watchComparisons && differs(note);
    return sort === "call" || sort === "copy";
  }
}

function arrivalOf({ at, arrives }: Frame): number {
  return arrives ?? at + LOST_MS;
}

function same(one: Place, other: Place): boolean {
  if ("node" in one) return "node" in other && one.node === other.node;
  return "client" in other && one.client === other.client;
}
