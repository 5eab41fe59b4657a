// Text and bytes: contexts as base64url, node ids, keys and values as they come from users.

import { QuorateError, badArgument } from "./errors.js";
import type { Key, Value } from "./public.js";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CODES = Uint8Array.from(DIGITS, (digit) => digit.charCodeAt(0));
/** By UTF-16 unit up to 127; 64: no digit. */
const SEXTETS = Uint8Array.from({ length: 128 }, (_, unit) => {
  const sextet = DIGITS.indexOf(String.fromCharCode(unit));
  return sextet < 0 ? 64 : sextet;
});

/** Node.js has a quicker way, for any bytes. */
const native = (
  globalThis as { Buffer?: { prototype?: { base64urlSlice?(start: number, end: number): string } } }
).Buffer?.prototype?.base64urlSlice;

export function toBase64Url(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return native ? native.call(bytes, start, end) : base64Url(bytes, start, end);
}

/** The same in plain JavaScript. */
export function base64Url(bytes: Uint8Array, start: number, end: number): string {
  const units: number[] = [];
  const add = (bits: number, shift: number) => units.push(CODES[(bits >> shift) & 63] as number);
  for (let at = start; at < end; at += 3) {
    const left = end - at;
    const bits =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const tail = left > 2 ? 0xff_ffff : left > 1 ? 0xff_ff00 : 0xff_0000;
    add(bits & tail, 18);
    add(bits & tail, 12);
    if (left > 1) add(bits & tail, 6);
    if (left > 2) add(bits & tail, 0);
  }
  return String.fromCharCode(...units);
}

/**
 * Writes the bytes of a context to `target` and returns how many, at most 3/4 of its length.
 * Throws where it is none: what stands in `target` then means nothing.
 */
export function contextInto(context: string, target: Uint8Array, start: number): number {
  const { length } = context;
  let at = start;
  let bits = 0;
  let wrong = length % 4 === 1 ? 64 : 0;
  for (let index = 0; index < length; index += 1) {
    const unit = context.charCodeAt(index);
    const sextet = unit < 128 ? (SEXTETS[unit] as number) : 64;
    wrong |= sextet;
    bits = (bits << 6) | sextet;
    // Of four digits the first completes no byte.
    const place = index & 3;
    if (place > 0) target[at++] = bits >> (6 - 2 * place);
  }
  if (wrong > 63) {
    throw new QuorateError("The context is damaged. Use one that `get` or `put` returned.", {
      code: "BAD_CONTEXT",
    });
  }
  return at - start;
}

/** Empty where it is undefined. */
export function checkedContext(context: unknown): string {
  if (context === undefined) return "";
  if (typeof context === "string") return context;
  throw badArgument("`context` must be a string: the `context` of an entry or of a write.");
}

export function checkedKey(key: Key): Key {
  if (typeof key === "string") return wellFormed(key, "The key");
  if (key instanceof Uint8Array) return key;
  throw badArgument(`A key is a string or a Uint8Array, not ${kind(key)}.`);
}

export function checkedValue(value: Value): string | Uint8Array {
  if (typeof value === "string") return wellFormed(value, "The value");
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (value instanceof ArrayBuffer || isShared(value)) return new Uint8Array(value);
  throw badArgument(
    `A value is a string or bytes, not ${kind(value)}: turn objects into text with JSON.stringify.`,
  );
}

/** For messages. */
export function keyName(key: Key): string {
  const name = typeof key === "string" ? JSON.stringify(key) : `[${key.byteLength} bytes]`;
  return name.length > 80 ? `${name.slice(0, 76)}.."` : name;
}

/** Halves of surrogate pairs would all become U+FFFD, and two keys one. */
function wellFormed(text: string, what: string): string {
  const { isWellFormed } = text as { isWellFormed?: () => boolean };
  if (isWellFormed ? !isWellFormed.call(text) : /\p{Surrogate}/u.test(text)) {
    throw badArgument(`${what} holds half of a surrogate pair, which has no UTF-8: pass bytes.`);
  }
  return text;
}

function isShared(value: unknown): value is SharedArrayBuffer {
  return typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer;
}

function kind(value: unknown): string {
  return value === null ? "null" : typeof value;
}
