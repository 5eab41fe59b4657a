// How the values of a bucket become bytes, and bytes values.

import { badArgument } from "./errors.js";
import type { Bytes, Codec } from "./public.js";

// A byte order mark belongs to the value; what is no UTF-8 is not read as if it were.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

const bytes: Codec<Bytes> = { encode: (value) => value, decode: (value) => value };

const utf8: Codec<string> = {
  encode: (value) => value,
  decode: (value) => decoder.decode(value),
};

const json: Codec<unknown> = {
  encode(value) {
    const text = JSON.stringify(value);
    // What JSON.stringify leaves out would be read as something else, or not at all.
    if (text === undefined) throw badArgument("The value has no JSON: it is undefined or a function.");
    return text;
  },
  decode: (value) => JSON.parse(decoder.decode(value)) as unknown,
};

const named: Record<string, unknown> = { bytes, utf8, json };

/** The codec of that name, or the one that is given. */
export function chosenCodec<V>(codec: unknown = "json"): Codec<V> {
  const own = typeof codec === "string" ? named[codec] : codec;
  const { encode, decode } = (own ?? {}) as Partial<Codec<V>>;
  if (typeof encode === "function" && typeof decode === "function") return own as Codec<V>;
  throw badArgument(
    'bucket: `codec` is "json", "utf8", "bytes", or an object with `encode` and `decode`.',
  );
}
