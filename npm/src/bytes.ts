// Text and bytes: contexts as base64url, node ids, keys and values as they come from users.

import { QuorateError, badArgument } from "./errors.js";
import type { Key, Value } from "./public.js";

const NONE = new Uint8Array(0);
const BASE64URL = /^[A-Za-z0-9_-]*$/;

export function toBase64Url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of a context; none where it is undefined. */
export function contextBytes(context: unknown): Uint8Array {
  if (context === undefined) return NONE;
  if (typeof context !== "string") {
    throw badArgument("`context` must be a string: the `context` of an entry or of a write.");
  }
  if (!BASE64URL.test(context) || context.length % 4 === 1) {
    throw new QuorateError("The context is damaged. Use one that `get` or `put` returned.", {
      code: "BAD_CONTEXT",
    });
  }
  const binary = atob(context.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (unit) => unit.charCodeAt(0));
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
