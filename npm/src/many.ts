// Many questions: asked together, told as the answers come.

import { badArgument } from "./errors.js";
import type { Key, ReadOptions } from "./public.js";

/** Questions under way at one time. */
const AT_ONCE = 512;

/** Yields keys and what `get` finds, in the order in which the answers come. */
export function getMany<Entry>(
  get: (key: Key, options: ReadOptions) => Promise<Entry>,
  keys: Iterable<Key>,
  options: ReadOptions | undefined,
): AsyncGenerator<[Key, Entry], undefined> {
  if (typeof keys === "string" || typeof keys?.[Symbol.iterator] !== "function") {
    throw badArgument("getMany: the first argument is a list of keys.");
  }
  return many(keys, (key, signal) => get(key, { ...options, signal }), options?.signal);
}

/** Yields items and answers in the order in which the answers come; ends with the first failure. */
async function* many<Item, Answer>(
  items: Iterable<Item>,
  ask: (item: Item, signal: AbortSignal) => Promise<Answer>,
  outer: AbortSignal | undefined,
): AsyncGenerator<[Item, Answer], undefined> {
  const own = new AbortController();
  const onAbort = (): void => own.abort(outer?.reason);
  outer?.addEventListener("abort", onAbort);
  if (outer?.aborted) onAbort();

  const answered: [Item, Answer][] = [];
  let failure: { reason: unknown } | undefined;
  let wake = (): void => {};
  let open = 0;
  const begin = async (item: Item): Promise<void> => {
    open += 1;
    try {
      answered.push([item, await ask(item, own.signal)]);
    } catch (reason) {
      failure ??= { reason };
    }
    open -= 1;
    wake();
  };

  const left = items[Symbol.iterator]();
  let isOver = false;
  try {
    for (;;) {
      // All answers are told before more is asked: so questions leave many at a time.
      while (!isOver && !failure && answered.length === 0 && open < AT_ONCE) {
        const next = left.next();
        isOver = next.done === true;
        if (!next.done) void begin(next.value);
      }
      const answer = answered.shift();
      if (answer) yield answer;
      else if (failure) throw failure.reason;
      else if (open === 0) return undefined;
      else await new Promise<void>((resolve) => void (wake = resolve));
    }
  } finally {
    // Whoever stops listening wants no more of it.
    own.abort();
    outer?.removeEventListener("abort", onAbort);
    if (!isOver) left.return?.();
  }
}
