// Numbers, bytes and text as `wasm/src/client/bytes.rs` writes them.

const HIGH = 2 ** 32;
const decoder = new TextDecoder();

export class ByteReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  /** Where the next part begins. */
  at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether there is nothing to read, as after the growth of the memory. */
  get isDetached(): boolean {
    return this.#bytes.length === 0;
  }

  u16(): number {
    this.at += 2;
    return this.#view.getUint16(this.at - 2, true);
  }

  u32(): number {
    this.at += 4;
    return this.#view.getUint32(this.at - 4, true);
  }

  /** Exact up to 2^53. */
  u64(): number {
    const low = this.u32();
    const high = this.u32();
    return high === 0 ? low : low + high * HIGH;
  }

  node(): string {
    const low = this.u32();
    return hex(this.u32(), 8) + hex(low, 8);
  }

  nodes(): string[] {
    return this.list(() => this.node());
  }

  text(): string {
    return decoder.decode(this.peek());
  }

  /** A view that is valid until the memory grows or the machine runs again. */
  peek(): Uint8Array<ArrayBuffer> {
    return this.raw(this.u32());
  }

  /** Passes over bytes. */
  skip(): void {
    const length = this.u32();
    this.at += length;
  }

  /** A copy of a part, wherever the next one begins. */
  copy(start: number, end: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(start, end);
  }

  raw(length: number): Uint8Array<ArrayBuffer> {
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** As many as a number in front says. */
  list<T>(read: () => T): T[] {
    return Array.from({ length: this.u32() }, read);
  }
}

export function u32At(bytes: Uint8Array, at: number): number {
  const byte = (index: number) => (bytes[at + index] as number) << (8 * index);
  return (byte(0) | byte(1) | byte(2) | byte(3)) >>> 0;
}

/** Exact up to 2^53. */
export function u64At(bytes: Uint8Array, at: number): number {
  return u32At(bytes, at) + u32At(bytes, at + 4) * HIGH;
}

/** At least `digits` hexadecimal digits. */
export function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}
