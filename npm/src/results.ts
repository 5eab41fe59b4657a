// What comes out of the module: the byte layout is described in `wasm/src/client/results.rs`.

import type { Failure } from "./errors.js";
import type { DownReason } from "./public.js";
import { ByteReader } from "./reader.js";
import { downReason } from "./status.js";

const NEVER = 0xffff_ffff;

/** How an answer came about. */
export interface Origin {
  direct: boolean;
  attempts: number;
  receipt: RawReceipt | undefined;
}

export interface RawReceipt {
  coordinator: string;
  needed: number;
  layoutVersion: number;
  primaries: string[];
  repaired: string[];
  fallbacks: { node: string; primary: string }[];
}

export interface RawEntry {
  origin: Origin;
  tombstones: number;
  /** The context, then the values, newest first; a copy. */
  bytes: Uint8Array<ArrayBuffer>;
  lengths: number[];
  written: number[];
  /** 0: never. */
  expires: number[];
}

export interface RawWritten {
  origin: Origin;
  siblings: number;
  /** A copy. */
  context: Uint8Array<ArrayBuffer>;
}

/** Who carries the results out. Bytes that it gets for sending are valid during the call only. */
export interface ResultSink {
  onDial(link: number, address: string): void;
  onSend(link: number, message: Uint8Array): void;
  onHangup(link: number): void;
  onEntry(call: number, entry: RawEntry): void;
  onWritten(call: number, written: RawWritten): void;
  onFailed(call: number, failure: Failure): void;
  onConnected(node: string, address: string): void;
  onDisconnected(node: string | undefined, address: string): void;
  onNodeDown(node: string, reason: DownReason): void;
  onNodeUp(node: string): void;
  onLayout(version: number): void;
  onRejected(address: string, code: string, detail: string): void;
}

/** Reads one output batch and returns the milliseconds until the machine wants to be woken. */
export class ResultBatch {
  readonly #memory: WebAssembly.Memory;
  #in = new ByteReader(new Uint8Array(0));

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  read(start: number, length: number, sink: ResultSink): number | undefined {
    const end = start + length;
    this.#refresh(start);
    const wake = this.#in.u32();
    while (this.#in.at < end) {
      // A sink may make the memory grow: a socket that fails at once is a command.
      this.#refresh(this.#in.at);
      this.#result(sink);
    }
    return wake === NEVER ? undefined : wake;
  }

  #refresh(at: number): void {
    const { buffer } = this.#memory;
    if (this.#in.buffer !== buffer) this.#in = new ByteReader(new Uint8Array(buffer));
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
        return sink.onWritten(this.#in.u64(), {
          origin: this.#origin(),
          siblings: this.#in.u32(),
          context: this.#in.peek().slice(),
        });
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
      default:
        throw new Error(`result ${kind} is unknown`);
    }
  }

  #entry(): RawEntry {
    const origin = this.#origin();
    const tombstones = this.#in.u32();
    const lengths: number[] = [];
    const written: number[] = [];
    const expires: number[] = [];
    for (let left = this.#in.u32(); left > 0; left -= 1) {
      lengths.push(this.#in.u32());
      written.push(this.#in.u64());
      expires.push(this.#in.u64());
    }
    return { origin, tombstones, bytes: this.#in.peek().slice(), lengths, written, expires };
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

  #origin(): Origin {
    const origin: Origin = {
      direct: this.#in.u32() === 1,
      attempts: this.#in.u32(),
      receipt: undefined,
    };
    if (this.#in.u32() === 1) {
      origin.receipt = {
        coordinator: this.#in.node(),
        needed: this.#in.u32(),
        layoutVersion: this.#in.u64(),
        primaries: this.#in.nodes(),
        repaired: this.#in.nodes(),
        fallbacks: this.#in.list(() => ({ node: this.#in.node(), primary: this.#in.node() })),
      };
    }
    return origin;
  }
}
