// A connected client: what users hold.

import { checkedKey, checkedValue, contextBytes, keyName } from "./bytes.js";
import type { Engine } from "./engine.js";
import { Entry, Written, contextOf } from "./entry.js";
import { QuorateError, badArgument } from "./errors.js";
import { requestOptions } from "./options.js";
import type * as face from "./public.js";
import { toStats } from "./ring.js";
import type { RingView } from "./ring.js";
import type { Observers } from "./status.js";
import { toStatus, watchStatus } from "./status.js";
import { update } from "./update.js";

const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for("Symbol.asyncDispose") as typeof Symbol.asyncDispose);

export class Client implements face.Client {
  readonly #engine: Engine;
  readonly #observers: Observers;
  readonly #ring: RingView;
  readonly #timeout: number;

  constructor(engine: Engine, observers: Observers, ring: RingView, timeout: number) {
    this.#engine = engine;
    this.#observers = observers;
    this.#ring = ring;
    this.#timeout = timeout;
  }

  async get(key: face.Key, options?: face.ReadOptions): Promise<face.Entry | undefined> {
    const request = requestOptions(options, "get");
    const context = contextBytes(options?.context);
    const name = () => `get ${keyName(key)}`;
    const raw = await this.#engine.get(checkedKey(key), context, request, options?.signal, name);
    return raw.lengths.length > 0 ? new Entry(raw) : undefined;
  }

  async put(key: face.Key, value: face.Value, options?: face.PutOptions): Promise<face.Written> {
    const request = requestOptions(options, "put");
    const context = contextBytes(options?.context);
    const bytes = checkedValue(value);
    const name = () => `put ${keyName(key)}`;
    const { signal } = options ?? {};
    return new Written(
      await this.#engine.put(checkedKey(key), context, bytes, request, signal, name),
    );
  }

  async delete(key: face.Key, options?: face.WriteOptions): Promise<face.Written> {
    const request = requestOptions(options, "delete");
    const context = contextBytes(options?.context);
    const name = () => `delete ${keyName(key)}`;
    const { signal } = options ?? {};
    return new Written(await this.#engine.delete(checkedKey(key), context, request, signal, name));
  }

  async update(
    key: face.Key,
    change: (entry: face.Entry | undefined) => face.Value | Promise<face.Value>,
    options?: face.UpdateOptions,
  ): Promise<face.Written> {
    const request = requestOptions(options, "update");
    if (typeof change !== "function") {
      throw badArgument("update: the second argument must be a function that returns the new value.");
    }
    const { signal } = options ?? {};
    const checked = checkedKey(key);
    const name = () => `update ${keyName(key)}`;
    return update(name(), request.timeout || this.#timeout, signal, {
      read: (timeout) =>
        this.#engine.get(checked, contextBytes(undefined), { ...request, timeout }, signal, name),
      write: async (seen, timeout) => {
        // The context of a key without values covers its deletes.
        const entry = seen.lengths.length > 0 ? new Entry(seen) : undefined;
        const value = checkedValue(await change(entry));
        const write = { ...request, timeout };
        return new Written(
          await this.#engine.put(checked, contextOf(seen), value, write, signal, name),
        );
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
      [Symbol.asyncIterator]: () => watchStatus(observers, read),
    });
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

  close(): Promise<void> {
    return this.#engine.close(
      new QuorateError("The client is closed. Connect anew.", { code: "CLOSED" }),
    );
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }
}
