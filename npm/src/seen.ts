// What a session was shown of each key, as far as it remembers.

import type { Context, Key } from "./public.js";

/** As said in the documentation of `Client.session`. */
const KEYS_MAX = 10_000;

/**
 * What was shown longer ago is forgotten: replicas have it by then, and where it was deleted and
 * collected meanwhile none would ever hold it again.
 */
const AGE_MS = 60 * 60 * 1_000;

interface Shown {
  readonly context: Context;
  readonly at: number;
}

const encoder = new TextEncoder();
// It has a character for each byte.
const decoder = new TextDecoder("latin1");

export class Seen {
  /** In the order in which they were shown. */
  readonly #shown = new Map<string, Shown>();

  /** Empty where nothing is known. */
  contextOf(key: Key): Context {
    const known = this.#shown.get(nameOf(key));
    return known && performance.now() - known.at < AGE_MS ? known.context : "";
  }

  /** `before` is what the read began with: where more is known by now, that is kept. */
  onRead(key: Key, before: Context, context: Context): void {
    const known = this.contextOf(key);
    if (known === "" || known === before) this.#note(key, context);
  }

  onWritten(key: Key, context: Context): void {
    this.#note(key, context);
  }

  #note(key: Key, context: Context): void {
    const name = nameOf(key);
    this.#shown.delete(name);
    if (context !== "") this.#shown.set(name, { context, at: performance.now() });
    if (this.#shown.size > KEYS_MAX) {
      const [oldest] = this.#shown.keys();
      this.#shown.delete(oldest as string);
    }
  }
}

/** A key as text and the same key as bytes have one name. */
function nameOf(key: Key): string {
  return decoder.decode(typeof key === "string" ? encoder.encode(key) : key);
}
