// Keys with a name in front, and values of one type.

import { checkedKey, keyName } from "./bytes.js";
import { chosenCodec } from "./codecs.js";
import { QuorateError, badArgument } from "./errors.js";
import { getMany } from "./many.js";
import type * as face from "./public.js";
import { lastWrite } from "./resolvers.js";
import { checkChange } from "./update.js";

const encoder = new TextEncoder();

/** What a bucket needs of its client. */
type Store = Pick<face.Client, "get" | "put" | "delete" | "update" | "locate">;

export class Bucket<V> implements face.Bucket<V> {
  readonly name: string;
  readonly #client: Store;
  readonly #codec: face.Codec<V>;
  readonly #resolve: face.Resolver<V>;

  constructor(client: Store, name: string, options: face.BucketOptions<V> | undefined) {
    if (typeof name !== "string" || name === "" || name.includes("/")) {
      throw badArgument("bucket: the name is a string of at least one character, none of them a /.");
    }
    const { codec, resolve = lastWrite } = options ?? {};
    if (typeof resolve !== "function") {
      throw badArgument("bucket: `resolve` is a function that makes one value of several.");
    }
    this.name = name;
    this.#client = client;
    this.#codec = chosenCodec<V>(codec);
    this.#resolve = resolve;
  }

  key(key: face.Key): face.Key {
    const own = checkedKey(key);
    if (typeof own === "string") return `${this.name}/${own}`;
    const prefix = encoder.encode(`${this.name}/`);
    const whole = new Uint8Array(prefix.length + own.length);
    whole.set(prefix);
    whole.set(own, prefix.length);
    return whole;
  }

  async get(key: face.Key, options?: face.ReadOptions): Promise<face.BucketEntry<V> | undefined> {
    const whole = this.key(key);
    return this.#toEntry(whole, await this.#client.get(whole, options));
  }

  getMany(
    keys: Iterable<face.Key>,
    options?: face.ReadOptions,
  ): AsyncGenerator<[face.Key, face.BucketEntry<V> | undefined], undefined> {
    return getMany((key, read) => this.get(key, read), keys, options);
  }

  async put(key: face.Key, value: V, options?: face.PutOptions): Promise<face.Written> {
    return this.#client.put(this.key(key), this.#codec.encode(value), options);
  }

  async delete(key: face.Key, options?: face.WriteOptions): Promise<face.Written> {
    return this.#client.delete(this.key(key), options);
  }

  async update(
    key: face.Key,
    change: (value: V | undefined, siblings: readonly V[]) => V | Promise<V>,
    options?: face.UpdateOptions,
  ): Promise<face.BucketWritten<V>> {
    checkChange(change);
    const whole = this.key(key);
    let value!: V;
    const written = await this.#client.update(
      whole,
      async (found) => {
        const entry = this.#toEntry(whole, found);
        value = await change(entry?.value, entry?.siblings ?? []);
        return this.#codec.encode(value);
      },
      options,
    );
    const { context, siblings, receipt } = written;
    return { value, context, siblings, ...(receipt && { receipt }) };
  }

  locate(key: face.Key): face.Location {
    return this.#client.locate(this.key(key));
  }

  #toEntry(key: face.Key, entry: face.Entry | undefined): face.BucketEntry<V> | undefined {
    if (entry === undefined) return undefined;
    const siblings = entry.siblings.map((sibling) => this.#decode(key, sibling.value));
    const value = siblings.length === 1 ? (siblings[0] as V) : this.#resolve(siblings);
    const { context, written, expires, deleted, receipt } = entry;
    return { value, siblings, context, written, expires, deleted, ...(receipt && { receipt }) };
  }

  #decode(key: face.Key, bytes: face.Bytes): V {
    try {
      return this.#codec.decode(bytes);
    } catch (cause) {
      const told = cause instanceof Error ? cause.message : String(cause);
      throw new QuorateError(
        `${keyName(key)} holds a value that the codec of the bucket cannot read: ${told}. Read the ` +
          "bytes with `client.get`, and write the key with the codec, or delete it.",
        { code: "BAD_VALUE", cause },
      );
    }
  }
}
