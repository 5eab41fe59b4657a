// What reads and writes resolve to. Values and contexts are unpacked when they are asked for.

import { toBase64Url } from "./bytes.js";
import type * as face from "./public.js";
import { u32At, u64At } from "./reader.js";
import type { RawEntry, RawWritten } from "./results.js";

/** What `console.log` of Node.js shows. */
const INSPECT = Symbol.for("nodejs.util.inspect.custom");

// A byte order mark belongs to the value.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

class Sibling implements face.Sibling {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #start: number;
  readonly #end: number;
  readonly #written: number;
  readonly #expires: number;
  #value: Uint8Array<ArrayBuffer> | undefined;
  #writtenDate: Date | undefined;
  #expiresDate: Date | undefined;

  /** The value is a part of `bytes`; `expires` is 0 where it never does. */
  constructor(
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
    written: number,
    expires: number,
  ) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#written = written;
    this.#expires = expires;
  }

  get value(): Uint8Array<ArrayBuffer> {
    return (this.#value ??= this.#bytes.slice(this.#start, this.#end));
  }

  get written(): Date {
    return (this.#writtenDate ??= new Date(this.#written));
  }

  get expires(): Date | undefined {
    return this.#expires > 0 ? (this.#expiresDate ??= new Date(this.#expires)) : undefined;
  }

  text(): string {
    return decoder.decode(this.#bytes.subarray(this.#start, this.#end));
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
    if (raw.receipt) this.receipt = raw.receipt;
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
    return (this.#context ??= this.#unpackContext());
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
    const { bytes, values } = this.#raw;
    const siblings: Sibling[] = [];
    let start = contextEnd(this.#raw);
    for (let index = 0; index < values; index += 1) {
      const at = valueAt(this.#raw, index);
      const end = start + u32At(bytes, at);
      const written = u64At(bytes, at + 4);
      siblings.push(new Sibling(bytes, start, end, written, u64At(bytes, at + 12)));
      start = end;
    }
    return siblings;
  }

  #unpackContext(): string {
    return toBase64Url(this.#raw.bytes, contextStart(this.#raw), contextEnd(this.#raw));
  }
}

export class Written implements face.Written {
  readonly #raw: RawWritten;
  #context: string | undefined;
  readonly siblings: number;
  declare readonly receipt?: face.Receipt;

  constructor(raw: RawWritten) {
    this.#raw = raw;
    this.siblings = raw.siblings;
    if (raw.receipt) this.receipt = raw.receipt;
  }

  get context(): string {
    const { bytes, start, end } = this.#raw;
    return (this.#context ??= toBase64Url(bytes, start, end));
  }

  [INSPECT](): object {
    return { context: this.context, siblings: this.siblings };
  }
}

/** Where the description of a value stands: u32 length, u64 written, u64 expires. */
function valueAt({ at }: RawEntry, index: number): number {
  return at + 20 * index;
}

/** Behind the descriptions stands how long context and values are together. */
function contextStart(raw: RawEntry): number {
  return valueAt(raw, raw.values) + 4;
}

/** The context stands in front of the values. */
function contextEnd(raw: RawEntry): number {
  const start = contextStart(raw);
  let end = start + u32At(raw.bytes, start - 4);
  for (let index = 0; index < raw.values; index += 1) end -= u32At(raw.bytes, valueAt(raw, index));
  return end;
}
