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

  get buffer(): ArrayBuffer {
    return this.#bytes.buffer;
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
    return low + this.u32() * HIGH;
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

  raw(length: number): Uint8Array<ArrayBuffer> {
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** As many as a number in front says. */
  list<T>(read: () => T): T[] {
    return Array.from({ length: this.u32() }, read);
  }
}

/** At least `digits` hexadecimal digits. */
export function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, "0");
}
