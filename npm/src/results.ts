// What comes out of the module: the byte layout is described in `wasm/src/client/results.rs`.

import type { Failure } from "./errors.js";

const HIGH = 2 ** 32;
const NEVER = 0xffff_ffff;
const decoder = new TextDecoder();

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
}

export interface RawEntry {
  origin: Origin;
  tombstones: number;
  /** The context, then the values, newest first; a copy. */
  bytes: Uint8Array<ArrayBuffer>;
  lengths: number[];
  written: number[];
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
  onDisconnected(address: string): void;
  onLayout(version: number): void;
  onRejected(address: string, code: string, detail: string): void;
}

/** Reads one output batch and returns the milliseconds until the machine wants to be woken. */
export class ResultBatch {
  readonly #memory: WebAssembly.Memory;
  #view = new DataView(new ArrayBuffer(0));
  #bytes = new Uint8Array(0);
  #at = 0;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  read(start: number, length: number, sink: ResultSink): number | undefined {
    this.#at = start;
    this.#refresh();
    const end = start + length;
    const wake = this.#u32();
    while (this.#at < end) {
      // A sink may make the memory grow: a socket that fails at once is a command.
      this.#refresh();
      this.#result(sink);
    }
    return wake === NEVER ? undefined : wake;
  }

  #refresh(): void {
    const { buffer } = this.#memory;
    if (this.#view.buffer !== buffer) {
      this.#view = new DataView(buffer);
      this.#bytes = new Uint8Array(buffer);
    }
  }

  #result(sink: ResultSink): void {
    const kind = this.#u32();
    switch (kind) {
      case 1:
        return sink.onDial(this.#u32(), this.#text());
      case 2:
        return sink.onSend(this.#u32(), this.#peek());
      case 3:
        return sink.onHangup(this.#u32());
      case 4:
        return sink.onEntry(this.#u64(), this.#entry());
      case 5:
        return sink.onWritten(this.#u64(), {
          origin: this.#origin(),
          siblings: this.#u32(),
          context: this.#peek().slice(),
        });
      case 6:
        return sink.onFailed(this.#u64(), this.#failure());
      case 7:
        return sink.onConnected(this.#node(), this.#text());
      case 8:
        return sink.onDisconnected(this.#text());
      case 9:
        return sink.onLayout(this.#u64());
      case 10:
        return sink.onRejected(this.#text(), this.#text(), this.#text());
      default:
        throw new Error(`result ${kind} is unknown`);
    }
  }

  #entry(): RawEntry {
    const origin = this.#origin();
    const tombstones = this.#u32();
    const lengths: number[] = [];
    const written: number[] = [];
    for (let left = this.#u32(); left > 0; left -= 1) {
      lengths.push(this.#u32());
      written.push(this.#u64());
    }
    return { origin, tombstones, bytes: this.#peek().slice(), lengths, written };
  }

  #failure(): Failure {
    const code = this.#text() as Failure["code"];
    const retryable = this.#u32() === 1;
    const outcome = this.#u32() === 1 ? "unknown" : "none";
    const known = this.#u32() === 1;
    const node = this.#node();
    return {
      code,
      retryable,
      outcome,
      node: known ? node : undefined,
      attempts: this.#u32(),
      needed: this.#u32(),
      acked: this.#u32(),
      limit: this.#u64(),
      actual: this.#u64(),
      detail: this.#text(),
    };
  }

  #origin(): Origin {
    const origin: Origin = {
      direct: this.#u32() === 1,
      attempts: this.#u32(),
      receipt: undefined,
    };
    if (this.#u32() === 1) {
      origin.receipt = {
        coordinator: this.#node(),
        needed: this.#u32(),
        layoutVersion: this.#u64(),
        primaries: this.#nodes(),
        repaired: this.#nodes(),
      };
    }
    return origin;
  }

  #nodes(): string[] {
    return Array.from({ length: this.#u32() }, () => this.#node());
  }

  #node(): string {
    const low = this.#u32();
    return hex(this.#u32()) + hex(low);
  }

  #u32(): number {
    const number = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return number;
  }

  #u64(): number {
    const low = this.#u32();
    return low + this.#u32() * HIGH;
  }

  #text(): string {
    return decoder.decode(this.#peek());
  }

  /** A view that is valid until the memory grows or the machine runs again. */
  #peek(): Uint8Array<ArrayBuffer> {
    const length = this.#u32();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

function hex(number: number): string {
  return number.toString(16).padStart(8, "0");
}
