// A connected client: what users hold.

import { Bucket } from "./bucket.js";
import { checkedContext, checkedKey, checkedValue, keyName } from "./bytes.js";
import type { Engine } from "./engine.js";
import type { Entry } from "./entry.js";
import { QuorateError, badArgument } from "./errors.js";
import { getMany } from "./many.js";
import { drainTime, requestOptions } from "./options.js";
import type * as face from "./public.js";
import { toStats } from "./ring.js";
import type { RingView } from "./ring.js";
import type { Observers } from "./status.js";
import { toStatus, watch } from "./status.js";
import { checkChange, update } from "./update.js";

const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for("Symbol.asyncDispose") as typeof Symbol.asyncDispose);

export class Client implements face.Client {
  readonly #engine: Engine;
  readonly #observers: Observers;
  readonly #ring: RingView;
  readonly #timeout: number;

  // One body for all codecs, which the types tell apart.
  readonly bucket = ((name: string, options?: face.BucketOptions<unknown>) =>
    new Bucket(this, name, options)) as face.Client["bucket"];

  constructor(engine: Engine, observers: Observers, ring: RingView, timeout: number) {
    this.#engine = engine;
    this.#observers = observers;
    this.#ring = ring;
    this.#timeout = timeout;
  }

  // No `async` here: each would be a promise and a turn of the microtask queue more.

  get(key: face.Key, options?: face.ReadOptions): Promise<face.Entry | undefined> {
    try {
      const request = requestOptions(options, "get");
      const context = checkedContext(options?.context);
      return this.#engine.get("get", checkedKey(key), context, request, options?.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  getMany(
    keys: Iterable<face.Key>,
    options?: face.ReadOptions,
  ): AsyncGenerator<[face.Key, face.Entry | undefined], undefined> {
    return getMany((key, read) => this.get(key, read), keys, options);
  }

  put(key: face.Key, value: face.Value, options?: face.PutOptions): Promise<face.Written> {
    try {
      const request = requestOptions(options, "put");
      const context = checkedContext(options?.context);
      const bytes = checkedValue(value);
      return this.#engine.put("put", checkedKey(key), context, bytes, request, options?.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  delete(key: face.Key, options?: face.WriteOptions): Promise<face.Written> {
    try {
      const request = requestOptions(options, "delete");
      const context = checkedContext(options?.context);
      return this.#engine.delete(checkedKey(key), context, request, options?.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async update(
    key: face.Key,
    change: (entry: face.Entry | undefined) => face.Value | Promise<face.Value>,
    options?: face.UpdateOptions,
  ): Promise<face.Written> {
    const request = requestOptions(options, "update");
    checkChange(change);
    const { signal } = options ?? {};
    const checked = checkedKey(key);
    return update(`update ${keyName(key)}`, request.timeout || this.#timeout, signal, {
      read: (timeout) =>
        this.#engine.get("update", checked, "", { ...request, timeout }, signal) as Promise<Entry>,
      write: async (seen, timeout) => {
        const entry = seen.siblings.length > 0 ? seen : undefined;
        const value = checkedValue(await change(entry));
        const write = { ...request, timeout };
        // The context of a key without values covers its deletes.
        return this.#engine.put("update", checked, seen.context, value, write, signal);
      },
    });
  }

  locate(key: face.Key): face.Location {
    return this.#ring.locate(this.#engine.machine, checkedKey(key));
  }

  ring(): face.Ring {
    return this.#ring.ring(this.#engine.machine);
  }

  stats(): face.Stats {
    return { ...toStats(this.#engine.machine.stats()), inFlight: this.#engine.inFlight };
  }

  status(): face.LiveStatus {
    const observers = this.#observers;
    const read = () => this.#status();
    return Object.freeze({
      ...read(),
      // A status is new where it says something else.
      [Symbol.asyncIterator]: () => watch(observers, read, JSON.stringify),
    });
  }

  watchRing(): AsyncIterableIterator<face.Ring, undefined> {
    // One ring is one object.
    return watch(this.#observers, () => this.ring(), (ring) => ring);
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

  #status(): face.ClientStatus {
    return toStatus(this.#engine.machine.status(), this.ring());
  }

  async close(options?: face.CloseOptions): Promise<void> {
    const closed = new QuorateError("The client is closed. Connect anew.", { code: "CLOSED" });
    const drain = drainTime(options, this.#timeout);
    if (drain > 0) await this.#engine.drain(closed, drain);
    await this.#engine.close(closed);
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }
}
