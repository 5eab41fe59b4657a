// The calls of clients as a person follows them: who was asked, who acknowledged, how it ended.

import type { Happening, Place, RunOutcome } from "quorate/sim";

/** A message that belongs to a call. */
export interface Leg {
  readonly frame: string;
  readonly from: Place;
  readonly to: Place;
  readonly sent: number;
  /** `undefined`: it was lost. */
  readonly arrives: number | undefined;
}

export interface Operation {
  readonly call: number;
  readonly client: number;
  readonly asks: "get" | "put" | "delete";
  readonly key: string;
  readonly value: string | undefined;
  readonly began: number;
  readonly legs: readonly Leg[];
  /** The node that runs it, as far as was seen. */
  readonly coordinator: number | undefined;
  /** Nodes that acknowledged to the coordinator, itself among them, in order. */
  readonly acknowledged: readonly number[];
  readonly ended: number | undefined;
  readonly outcome: RunOutcome | undefined;
}

type Draft = { -readonly [K in keyof Operation]: Operation[K] } & { legs: Leg[]; acknowledged: number[] };

/** Older ones are forgotten. */
const OPERATIONS_MAX = 200;
const LEGS_MAX = 200;

export class Operations {
  readonly #drafts = new Map<number, Draft>();
  /** Acknowledgements on their way: they count when they arrive. */
  #coming: { call: number; node: number; at: number }[] = [];

  /** Newest first. */
  list(): readonly Operation[] {
    return [...this.#drafts.values()].reverse();
  }

  of(call: number): Operation | undefined {
    return this.#drafts.get(call);
  }

  underWay(): boolean {
    for (const draft of this.#drafts.values()) if (draft.ended === undefined) return true;
    return false;
  }

  clear(): void {
    this.#drafts.clear();
    this.#coming = [];
  }

  add(happened: readonly Happening[]): void {
    for (const happening of happened) this.#add(happening);
  }

  /** Counts the acknowledgements that have arrived. */
  settle(now: number): void {
    this.#coming = this.#coming.filter(({ call, node, at }) => {
      if (at > now) return true;
      const draft = this.#drafts.get(call);
      if (draft && !draft.acknowledged.includes(node)) draft.acknowledged.push(node);
      return false;
    });
  }

  #add(happening: Happening): void {
    if (happening.kind === "call") return this.#begin(happening);
    if (happening.kind === "ended") return this.#end(happening);
    if (happening.cause === undefined) return;
    const draft = this.#drafts.get(happening.cause);
    if (!draft) return;
    if (happening.kind === "frame") this.#leg(draft, happening);
    else if (happening.kind === "stored" && draft.asks !== "get" && happening.node === draft.coordinator) {
      this.#coming.push({ call: draft.call, node: happening.node, at: happening.at });
    }
  }

  #begin({ at, call, client, asks, key, value }: Extract<Happening, { kind: "call" }>): void {
    this.#drafts.set(call, {
      call,
      client,
      asks,
      key,
      value,
      began: at,
      legs: [],
      coordinator: undefined,
      acknowledged: [],
      ended: undefined,
      outcome: undefined,
    });
    const oldest = this.#drafts.keys().next();
    if (this.#drafts.size > OPERATIONS_MAX && !oldest.done) this.#drafts.delete(oldest.value);
  }

  #end({ at, call, outcome }: Extract<Happening, { kind: "ended" }>): void {
    const draft = this.#drafts.get(call);
    if (!draft) return;
    draft.ended = at;
    draft.outcome = outcome;
    // Where no message was seen the receipt says who has answered.
    const receipt = outcome.kind === "failed" || draft.legs.length > 0 ? undefined : outcome.receipt;
    if (receipt) {
      draft.coordinator = receipt.coordinator;
      draft.acknowledged.push(...receipt.primaries, ...receipt.fallbacks.map(({ node }) => node));
    }
  }

  #leg(draft: Draft, { at, frame, from, to, arrives }: Extract<Happening, { kind: "frame" }>): void {
    if (draft.legs.length < LEGS_MAX) draft.legs.push({ frame, from, to, sent: at, arrives });
    if (arrives === undefined || !("node" in from)) return;
    const answers = frame === "replicaMerged" || frame === "replicaRecord";
    // Whoever asks the replicas runs the call: a node that only passed it on does not.
    if (frame === "replicaMerge" || frame === "replicaRead") {
      if (draft.coordinator === undefined) {
        draft.coordinator = from.node;
        // It stores or reads its own copy before it asks.
        this.#coming.push({ call: draft.call, node: from.node, at });
      }
    } else if (answers && "node" in to) {
      this.#coming.push({ call: draft.call, node: from.node, at: arrives });
    }
  }
}
