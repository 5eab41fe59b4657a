// Read, change, write, until nobody else has written in between.

import { QuorateError, badArgument } from "./errors.js";

/** The two halves of a round. */
export interface Round<Seen, Done extends { siblings: number }> {
  read(timeout: number): Promise<Seen>;
  write(seen: Seen, timeout: number): Promise<Done>;
}

const ROUNDS_MAX = 10;
const PAUSE_MS = 5;
const PAUSE_MS_MAX = 200;

export function checkChange(change: unknown): void {
  if (typeof change === "function") return;
  throw badArgument("update: the second argument must be a function that returns the new value.");
}

/** Runs rounds within `timeout` milliseconds; `name` is for people. */
export async function update<Seen, Done extends { siblings: number }>(
  name: string,
  timeout: number,
  signal: AbortSignal | undefined,
  round: Round<Seen, Done>,
): Promise<Done> {
  const deadline = performance.now() + timeout;
  const left = () => Math.max(1, Math.ceil(deadline - performance.now()));
  for (let rounds = 1; ; rounds += 1) {
    const last = rounds === ROUNDS_MAX || performance.now() >= deadline;
    try {
      const done = await round.write(await round.read(left()), left());
      if (done.siblings <= 1) return done;
      if (last) throw conflict(name, rounds, done.siblings);
    } catch (error) {
      if (last || !worthAnother(error)) throw error;
    }
    await pause(Math.min(PAUSE_MS * 2 ** rounds, PAUSE_MS_MAX, left()) * Math.random(), signal);
  }
}

/** A write that may have happened is not repeated: `change` would run on its own result. */
function worthAnother(error: unknown): boolean {
  return error instanceof QuorateError && error.retryable && error.outcome === "none";
}

function conflict(name: string, rounds: number, siblings: number): QuorateError {
  return new QuorateError(
    `${name}: ${rounds} rounds of reading and writing all met other writers, ${siblings} values ` +
      "stand. The last write is one of them. Try again when fewer write to this key.",
    { code: "CONFLICT", outcome: "unknown", attempts: rounds },
  );
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
