// A connected client: what users hold.

import { QuorateError, badArgument } from "./errors.js";
import { Operations } from "./operations.js";
import type { Shared } from "./operations.js";
import { checkedPing, drainTime } from "./options.js";
import type * as face from "./public.js";
import { toStats } from "./ring.js";
import { Seen } from "./seen.js";
import type { Observers } from "./status.js";
import { toStatus, watch } from "./status.js";

const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for("Symbol.asyncDispose") as typeof Symbol.asyncDispose);

export class Client extends Operations implements face.Client {
  readonly #shared: Shared;
  readonly #observers: Observers;

  constructor(shared: Shared, observers: Observers) {
    super(shared);
    this.#shared = shared;
    this.#observers = observers;
  }

  session(): face.Session {
    return new Operations(this.#shared, new Seen());
  }

  ping(node: string, options?: face.PingOptions): Promise<number>;
  ping(options?: face.PingOptions): Promise<ReadonlyMap<string, number>>;
  async ping(
    node?: string | face.PingOptions,
    options?: face.PingOptions,
  ): Promise<number | ReadonlyMap<string, number>> {
    const { engine } = this.#shared;
    const isOne = typeof node === "string";
    const { timeout, signal } = checkedPing(isOne ? node : undefined, isOne ? options : node);
    signal?.throwIfAborted();
    if (isOne) return engine.ping(node, timeout, signal);
    const took = new Map<string, number>();
    const nodes = toStats(engine.machine.stats()).connected;
    const asked = nodes.map(async (one) => void took.set(one, await engine.ping(one, timeout, signal)));
    const ends = await Promise.allSettled(asked);
    signal?.throwIfAborted();
    if (took.size > 0) return took;
    const failed = ends.find((end) => end.status === "rejected");
    throw failed?.reason ?? new QuorateError("ping: no node is connected. Try again in a moment.", {
      code: "UNREACHABLE",
      retryable: true,
    });
  }

  ring(): face.Ring {
    const { ring, engine } = this.#shared;
    return ring.ring(engine.machine);
  }

  stats(): face.Stats {
    const { engine } = this.#shared;
    return { ...toStats(engine.machine.stats()), inFlight: engine.inFlight };
  }

  status(): face.LiveStatus {
    const observers = this.#observers;
    const { engine, ring } = this.#shared;
    const read = (): face.ClientStatus => {
      const { failure } = engine;
      if (failure) return { layoutVersion: ring.version, nodes: [], failure };
      return toStatus(engine.machine.status(), this.ring());
    };
    const last = () => (observers.ended && !engine.failure ? undefined : read());
    return Object.freeze({
      ...read(),
      // A status is new where it says something else.
      [Symbol.asyncIterator]: () => watch(observers, last, JSON.stringify),
    });
  }

  watchRing(): AsyncIterableIterator<face.Ring, undefined> {
    const observers = this.#observers;
    // One ring is one object.
    return watch(observers, () => (observers.ended ? undefined : this.ring()), (ring) => ring);
  }

  on<Name extends keyof face.ClientEvents>(
    event: Name,
    listener: (event: face.ClientEvents[Name]) => void,
  ): () => void {
    if (!this.#observers.isEvent(event)) {
      throw badArgument(`on: there is no event ${JSON.stringify(event)}.`);
    }
    if (typeof listener !== "function") throw badArgument("on: the listener must be a function.");
    return this.#observers.on(event, listener);
  }

  async close(options?: face.CloseOptions): Promise<void> {
    const { engine, timeout } = this.#shared;
    const closed = new QuorateError("The client is closed. Connect anew.", { code: "CLOSED" });
    const drain = drainTime(options, timeout);
    if (drain > 0) await engine.drain(closed, drain);
    await engine.close(closed);
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }
}
