// What reads and writes resolve to. Values and contexts are unpacked when they are asked for.

import { toBase64Url } from "./bytes.js";
import type * as face from "./public.js";
import type { Origin, RawEntry, RawWritten } from "./results.js";

/** What `console.log` of Node.js shows. */
const INSPECT = Symbol.for("nodejs.util.inspect.custom");

// A byte order mark belongs to the value.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

class Sibling implements face.Sibling {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #value: Uint8Array<ArrayBuffer> | undefined;
  readonly written: Date;
  readonly expires: Date | undefined;

  /** `bytes` may be a part of a longer buffer; `expires` is 0 where it never does. */
  constructor(bytes: Uint8Array<ArrayBuffer>, written: number, expires: number) {
    this.#bytes = bytes;
    this.written = new Date(written);
    this.expires = expires > 0 ? new Date(expires) : undefined;
  }

  get value(): Uint8Array<ArrayBuffer> {
    return (this.#value ??= this.#bytes.slice());
  }

  text(): string {
    return decoder.decode(this.#bytes);
  }

  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }

  [INSPECT](): object {
    const { value, written, expires } = this;
    return { value, written, ...(expires && { expires }) };
  }
}

export class Entry implements face.Entry {
  readonly #raw: RawEntry;
  #siblings: readonly Sibling[] | undefined;
  #context: string | undefined;
  readonly deleted: boolean;
  declare readonly receipt?: face.Receipt;

  constructor(raw: RawEntry) {
    this.#raw = raw;
    this.deleted = raw.tombstones > 0;
    const receipt = receiptOf(raw.origin);
    if (receipt) this.receipt = receipt;
  }

  get siblings(): readonly Sibling[] {
    return (this.#siblings ??= this.#unpack());
  }

  get value(): Uint8Array<ArrayBuffer> {
    return this.#newest.value;
  }

  get written(): Date {
    return this.#newest.written;
  }

  get expires(): Date | undefined {
    return this.#newest.expires;
  }

  get context(): string {
    return (this.#context ??= toBase64Url(contextOf(this.#raw)));
  }

  text(): string {
    return this.#newest.text();
  }

  json<T = unknown>(): T {
    return this.#newest.json<T>();
  }

  [INSPECT](): object {
    const { value, siblings, context, deleted } = this;
    return { value, siblings, context, deleted };
  }

  get #newest(): Sibling {
    return this.siblings[0] as Sibling;
  }

  #unpack(): Sibling[] {
    const { bytes, lengths, written, expires } = this.#raw;
    let end = contextOf(this.#raw).byteLength;
    return lengths.map((length, index) => {
      end += length;
      const value = bytes.subarray(end - length, end);
      return new Sibling(value, written[index] ?? 0, expires[index] ?? 0);
    });
  }
}

export class Written implements face.Written {
  readonly #bytes: Uint8Array;
  #context: string | undefined;
  readonly siblings: number;
  declare readonly receipt?: face.Receipt;

  constructor(raw: RawWritten) {
    this.#bytes = raw.context;
    this.siblings = raw.siblings;
    const receipt = receiptOf(raw.origin);
    if (receipt) this.receipt = receipt;
  }

  get context(): string {
    return (this.#context ??= toBase64Url(this.#bytes));
  }

  [INSPECT](): object {
    return { context: this.context, siblings: this.siblings };
  }
}

/** The context stands in front of the values. */
export function contextOf({ bytes, lengths }: RawEntry): Uint8Array {
  const values = lengths.reduce((sum, length) => sum + length, 0);
  return bytes.subarray(0, bytes.byteLength - values);
}

function receiptOf({ receipt, direct, attempts }: Origin): face.Receipt | undefined {
  return receipt && { ...receipt, direct, attempts };
}
