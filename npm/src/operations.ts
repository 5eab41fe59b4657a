// What reads and writes keys: a client, or a session of it.

import { Bucket } from "./bucket.js";
import { checkedContext, checkedKey, checkedValue, keyName } from "./bytes.js";
import type { Engine } from "./engine.js";
import type { Entry, Written } from "./entry.js";
import { getMany } from "./many.js";
import { requestOptions } from "./options.js";
import type * as face from "./public.js";
import type { RingView } from "./ring.js";
import type { Seen } from "./seen.js";
import { checkChange, update } from "./update.js";

/** What all clients of one machine share. */
export interface Shared {
  readonly engine: Engine;
  readonly ring: RingView;
  /** Time for a call that names none. */
  readonly timeout: number;
}

export class Operations implements face.Operations {
  readonly #shared: Shared;
  /** What a session was shown. */
  readonly #seen: Seen | undefined;

  // One body for all codecs, which the types tell apart.
  readonly bucket = ((name: string, options?: face.BucketOptions<unknown>) =>
    new Bucket(this, name, options)) as face.Operations["bucket"];

  constructor(shared: Shared, seen?: Seen) {
    this.#shared = shared;
    this.#seen = seen;
  }

  // No `async` here: each would be a promise and a turn of the microtask queue more.

  get(key: face.Key, options?: face.ReadOptions): Promise<face.Entry | undefined> {
    try {
      const { engine } = this.#shared;
      const request = requestOptions(options, "get");
      const own = checkedKey(key);
      const context = this.#context(own, options);
      const seen = this.#seen;
      if (!seen) return engine.get("get", own, context, request, options?.signal);
      const read = engine.get("session get", own, context, request, options?.signal);
      return read.then((found) => {
        const entry = found as Entry;
        seen.onRead(own, context, entry.context);
        return entry.siblings.length > 0 ? entry : undefined;
      });
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
      const own = checkedKey(key);
      const context = this.#context(own, options);
      const bytes = checkedValue(value);
      const { engine } = this.#shared;
      return this.#noted(own, engine.put("put", own, context, bytes, request, options?.signal));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  delete(key: face.Key, options?: face.WriteOptions): Promise<face.Written> {
    try {
      const request = requestOptions(options, "delete");
      const own = checkedKey(key);
      const context = this.#context(own, options);
      return this.#noted(own, this.#shared.engine.delete(own, context, request, options?.signal));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async update(
    key: face.Key,
    change: (entry: face.Entry | undefined) => face.Value | Promise<face.Value>,
    options?: face.UpdateOptions,
  ): Promise<face.Written> {
    const { engine, timeout: usual } = this.#shared;
    const request = requestOptions(options, "update");
    checkChange(change);
    const { signal } = options ?? {};
    const own = checkedKey(key);
    return update(`update ${keyName(key)}`, request.timeout || usual, signal, {
      read: async (timeout) => {
        const context = this.#seen?.contextOf(own) ?? "";
        const read = engine.get("update", own, context, { ...request, timeout }, signal);
        const entry = (await read) as Entry;
        this.#seen?.onRead(own, context, entry.context);
        return entry;
      },
      write: async (seen, timeout) => {
        const entry = seen.siblings.length > 0 ? seen : undefined;
        const value = checkedValue(await change(entry));
        const write = { ...request, timeout };
        // The context of a key without values covers its deletes.
        return this.#noted(own, engine.put("update", own, seen.context, value, write, signal));
      },
    });
  }

  locate(key: face.Key): face.Location {
    const { ring, engine } = this.#shared;
    return ring.locate(engine.machine, checkedKey(key));
  }

  /** What the caller says outweighs what the session knows. */
  #context(key: face.Key, options: { context?: face.Context | undefined } | undefined): string {
    const given = options?.context;
    if (given === undefined && this.#seen) return this.#seen.contextOf(key);
    return checkedContext(given);
  }

  #noted(key: face.Key, written: Promise<Written>): Promise<Written> {
    const seen = this.#seen;
    if (!seen) return written;
    return written.then((done) => {
      seen.onWritten(key, done.context);
      return done;
    });
  }
}
