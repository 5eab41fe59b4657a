// What goes into the module: the byte layout is described in `wasm/src/client/commands.rs`.

import { contextInto } from "./bytes.js";
import type { Machine } from "./module.js";

/** What the batch needs of the machine. */
export type Runner = Pick<Machine, "reserve" | "handle">;

/** What every request carries; 0 stands for the client's own. */
export interface RequestOptions {
  timeout: number;
  r: number;
  w: number;
  receipt: boolean;
  /** 0: the client's, 1: strict, 2: sloppy. */
  strict: number;
  /** 0: the client's, 1: counted in the client's zone, 2: in all zones. */
  local: number;
  /** Milliseconds until the value of a put reads as deleted; 0: it never does. */
  ttl: number;
}

/** In the place of milliseconds: never. */
export const NEVER = 0xffff_ffff;

/** Bytes that are kept between batches. */
const KEPT_BYTES = 64 * 1024;

/** A batch this long is handed over at once, whatever the event loop does. */
const FULL_BYTES = 256 * 1024;

const HIGH = 2 ** 32;
const encoder = new TextEncoder();

/** Collects the commands of one turn of the event loop in the module's memory. */
export class CommandBatch {
  readonly #machine: Runner;
  readonly #memory: WebAssembly.Memory;
  #view = new DataView(new ArrayBuffer(0));
  #bytes = new Uint8Array(0);
  #start = 0;
  #capacity = 0;
  #length = 0;
  /** Where the last command begins. */
  #command = 0;

  constructor(machine: Runner, memory: WebAssembly.Memory) {
    this.#machine = machine;
    this.#memory = memory;
  }

  get isFull(): boolean {
    return this.#length >= FULL_BYTES;
  }

  /** Hands the batch over and returns the length of the output. */
  run(): number {
    const length = this.#length;
    this.#length = 0;
    const output = this.#machine.handle(performance.now(), Date.now(), length);
    if (this.#capacity > FULL_BYTES * 2) {
      this.#capacity = KEPT_BYTES;
      this.#start = this.#machine.reserve(KEPT_BYTES);
    }
    return output;
  }

  opened(link: number): void {
    this.#begin(1, 4);
    this.#u32(link);
  }

  closed(link: number): void {
    this.#begin(2, 4);
    this.#u32(link);
  }

  message(link: number, message: Uint8Array): void {
    this.#begin(3, 8 + message.byteLength);
    this.#u32(link);
    this.#put(message);
  }

  get(options: RequestOptions, key: string | Uint8Array, context: string | Uint8Array): void {
    this.#begin(4, 16 + room(key) + room(context));
    this.#options(options);
    this.#key(key);
    this.#context(context);
  }

  put(
    options: RequestOptions,
    key: string | Uint8Array,
    context: string | Uint8Array,
    value: string | Uint8Array,
  ): void {
    this.#begin(5, 28 + room(key) + room(context) + room(value));
    this.#options(options);
    this.#u64(options.ttl);
    this.#key(key);
    this.#context(context);
    if (typeof value === "string") this.#text(value);
    else this.#put(value);
  }

  delete(options: RequestOptions, key: string | Uint8Array, context: string | Uint8Array): void {
    this.#begin(6, 16 + room(key) + room(context));
    this.#options(options);
    this.#key(key);
    this.#context(context);
  }

  cancel(call: number): void {
    this.#begin(7, 8);
    this.#u64(call);
  }

  close(): void {
    this.#begin(8, 0);
  }

  wake(): void {
    this.#begin(9, 0);
  }

  /** `wait` in milliseconds, or `NEVER`; no address stands for all that failed. */
  redial(address: string, wait: number): void {
    this.#begin(10, 8 + room(address));
    this.#u32(wait);
    this.#text(address);
  }

  ping(node: string, timeout: number): void {
    this.#begin(11, 12);
    this.#u32(timeout);
    this.#u32(Number.parseInt(node.slice(8), 16));
    this.#u32(Number.parseInt(node.slice(0, 8), 16));
  }

  /** Makes room for a command. */
  #begin(command: number, length: number): void {
    this.#command = this.#length;
    const needed = this.#length + 4 + length;
    if (needed > this.#capacity) {
      this.#capacity = Math.max(KEPT_BYTES, needed, Math.min(this.#capacity * 2, FULL_BYTES * 2));
      this.#start = this.#machine.reserve(this.#capacity);
    }
    // Memory that has grown detaches its views, and to ask for its buffer each time is slow.
    if (this.#bytes.length === 0) {
      const { buffer } = this.#memory;
      this.#view = new DataView(buffer);
      this.#bytes = new Uint8Array(buffer);
    }
    this.#u32(command);
  }

  #u32(number: number): void {
    this.#view.setUint32(this.#start + this.#length, number, true);
    this.#length += 4;
  }

  /** Exact up to 2^53. */
  #u64(number: number): void {
    this.#u32(number % HIGH);
    this.#u32(Math.floor(number / HIGH));
  }

  #options({ timeout, r, w, receipt, strict, local }: RequestOptions): void {
    this.#u32(timeout);
    this.#u32(r | (w << 8) | (receipt ? 1 << 16 : 0) | ((strict | (local << 2)) << 24));
  }

  /** Bytes that were transferred to somebody else take their command back. */
  #put(bytes: Uint8Array): void {
    this.#u32(bytes.byteLength);
    try {
      this.#bytes.set(bytes, this.#start + this.#length);
    } catch (error) {
      this.#length = this.#command;
      throw error;
    }
    this.#length += bytes.byteLength;
  }

  #key(key: string | Uint8Array): void {
    if (typeof key === "string") this.#text(key);
    else this.#put(key);
  }

  /** A damaged one takes its command back. */
  #context(context: string | Uint8Array): void {
    if (typeof context !== "string") return this.#put(context);
    const at = this.#length;
    let written = 0;
    try {
      if (context !== "") written = contextInto(context, this.#bytes, this.#start + at + 4);
    } catch (error) {
      this.#length = this.#command;
      throw error;
    }
    this.#u32(written);
    this.#length += written;
  }

  /** Short ASCII, which most keys are, is copied without a call into the encoder. */
  #text(text: string): void {
    const { length } = text;
    const start = this.#start + this.#length + 4;
    let index = 0;
    if (length <= 64) {
      for (; index < length; index += 1) {
        const unit = text.charCodeAt(index);
        if (unit > 127) break;
        this.#bytes[start + index] = unit;
      }
    }
    let written = length;
    if (index < length) {
      const target = this.#bytes.subarray(start, start + 3 * length);
      written = encoder.encodeInto(text, target).written;
    }
    this.#u32(written);
    this.#length += written;
  }
}

/** No UTF-16 unit takes more than three bytes of UTF-8. */
function room(text: string | Uint8Array): number {
  return typeof text === "string" ? text.length * 3 : text.byteLength;
}
