// What comes out of the module: the byte layout is described in `wasm/src/client/results.rs`.

import { NEVER } from "./commands.js";
import type { Failure } from "./errors.js";
import type { DownReason, Receipt } from "./public.js";
import { ByteReader } from "./reader.js";
import { downReason } from "./status.js";

/** Bytes that one copy takes out of the module at most, unless one answer is longer. */
const WINDOW_BYTES = 8 * 1024;

/** An answer to a read, unpacked no further than it must be. */
export interface RawEntry {
  /** Holds this answer, among others that came with it; nobody changes it. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where the descriptions of the values stand in it. */
  at: number;
  /** How many values there are, newest first. */
  values: number;
  tombstones: number;
  receipt: Receipt | undefined;
}

export interface RawWritten {
  /** Holds the context, among other things; nobody changes it. */
  bytes: Uint8Array<ArrayBuffer>;
  start: number;
  end: number;
  siblings: number;
  receipt: Receipt | undefined;
}

/** Who carries the results out. Bytes that it gets for sending are valid during the call only. */
export interface ResultSink {
  onDial(link: number, address: string): void;
  onSend(link: number, message: Uint8Array): void;
  onHangup(link: number): void;
  onEntry(call: number, entry: RawEntry): void;
  onWritten(call: number, written: RawWritten): void;
  onFailed(call: number, failure: Failure): void;
  /** After so many milliseconds. */
  onPong(call: number, took: number): void;
  onConnected(node: string, address: string): void;
  onDisconnected(node: string | undefined, address: string): void;
  onNodeDown(node: string, reason: DownReason): void;
  onNodeUp(node: string): void;
  onLayout(version: number): void;
  onRejected(address: string, code: string, detail: string): void;
}

/**
 * Reads one output batch and returns the milliseconds until the machine wants to be woken.
 *
 * Answers leave the module's memory many at a time, since each copy costs about a microsecond. So
 * an answer that somebody keeps, keeps `WINDOW_BYTES` at most beside itself.
 */
export class ResultBatch {
  readonly #memory: WebAssembly.Memory;
  #in = new ByteReader(new Uint8Array(0));
  /** Where the id of the node stands that gave the last answer. */
  #node = 0;
  /** Where the batch ends. */
  #end = 0;
  /** A copy of what stands at `#windowStart`, up to `#windowEnd`. */
  #window = new Uint8Array(0);
  #windowStart = 0;
  #windowEnd = 0;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  read(start: number, length: number, sink: ResultSink): number | undefined {
    this.#end = start + length;
    // What stood there before is another batch.
    this.#windowEnd = 0;
    this.#refresh(start);
    const wake = this.#in.u32();
    while (this.#in.at < this.#end) {
      // A sink may make the memory grow: a socket that fails at once is a command.
      this.#refresh(this.#in.at);
      this.#result(sink);
    }
    return wake === NEVER ? undefined : wake;
  }

  /** The id of the node that gave the answer which a sink is told of. */
  answeredBy(): string {
    const { at } = this.#in;
    this.#in.at = this.#node;
    const node = this.#in.node();
    this.#in.at = at;
    return node;
  }

  /** Sees to it that `#window` holds a part of the batch, and returns where that begins in it. */
  #keep(start: number, end: number): number {
    if (start < this.#windowStart || end > this.#windowEnd) {
      this.#windowStart = start;
      this.#windowEnd = Math.max(end, Math.min(start + WINDOW_BYTES, this.#end));
      this.#window = this.#in.copy(start, this.#windowEnd);
    }
    return start - this.#windowStart;
  }

  #refresh(at: number): void {
    if (this.#in.isDetached) this.#in = new ByteReader(new Uint8Array(this.#memory.buffer));
    this.#in.at = at;
  }

  #result(sink: ResultSink): void {
    const kind = this.#in.u32();
    switch (kind) {
      case 1:
        return sink.onDial(this.#in.u32(), this.#in.text());
      case 2:
        return sink.onSend(this.#in.u32(), this.#in.peek());
      case 3:
        return sink.onHangup(this.#in.u32());
      case 4:
        return sink.onEntry(this.#in.u64(), this.#entry());
      case 5:
        return sink.onWritten(this.#in.u64(), this.#written());
      case 6:
        return sink.onFailed(this.#in.u64(), this.#failure());
      case 7:
        return sink.onConnected(this.#in.node(), this.#in.text());
      case 8:
        return sink.onDisconnected(this.#known(), this.#in.text());
      case 9:
        return sink.onLayout(this.#in.u64());
      case 10:
        return sink.onRejected(this.#in.text(), this.#in.text(), this.#in.text());
      case 11:
        return sink.onNodeDown(this.#in.node(), downReason(this.#in.u32()));
      case 12:
        return sink.onNodeUp(this.#in.node());
      case 13:
        return sink.onPong(this.#in.u64(), this.#in.u32() / 1_000);
      default:
        throw new Error(`result ${kind} is unknown`);
    }
  }

  #entry(): RawEntry {
    const receipt = this.#receipt();
    const tombstones = this.#in.u32();
    const values = this.#in.u32();
    const start = this.#in.at;
    this.#in.at += 20 * values;
    this.#in.skip();
    const at = this.#keep(start, this.#in.at);
    return { bytes: this.#window, at, values, tombstones, receipt };
  }

  #written(): RawWritten {
    const receipt = this.#receipt();
    const siblings = this.#in.u32();
    const length = this.#in.u32();
    const at = this.#keep(this.#in.at, this.#in.at + length);
    this.#in.at += length;
    return { bytes: this.#window, start: at, end: at + length, siblings, receipt };
  }

  #failure(): Failure {
    const code = this.#in.text() as Failure["code"];
    const retryable = this.#in.u32() === 1;
    const outcome = this.#in.u32() === 1 ? "unknown" : "none";
    return {
      code,
      retryable,
      outcome,
      node: this.#known(),
      attempts: this.#in.u32(),
      needed: this.#in.u32(),
      acked: this.#in.u32(),
      limit: this.#in.u64(),
      actual: this.#in.u64(),
      retryAfter: this.#in.u32(),
      message: this.#in.text(),
    };
  }

  #known(): string | undefined {
    const known = this.#in.u32() === 1;
    const node = this.#in.node();
    return known ? node : undefined;
  }

  #receipt(): Receipt | undefined {
    const direct = this.#in.u32() === 1;
    const attempts = this.#in.u32();
    this.#node = this.#in.at;
    this.#in.at += 8;
    if (this.#in.u32() === 0) return undefined;
    return {
      coordinator: this.#in.node(),
      needed: this.#in.u32(),
      layoutVersion: this.#in.u64(),
      primaries: this.#in.nodes(),
      repaired: this.#in.nodes(),
      fallbacks: this.#in.list(() => ({ node: this.#in.node(), primary: this.#in.node() })),
      zone: this.#in.text() || undefined,
      direct,
      attempts,
    };
  }
}
