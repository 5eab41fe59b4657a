// When `update` goes another round, and when it must not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { QuorateError } from "../src/errors.js";
import { update } from "../src/update.js";

/** Plays one outcome per round; the last one stays. */
function rounds(...outcomes: (number | Error)[]) {
  let begun = 0;
  const round = {
    read: () => Promise.resolve(),
    write: () => {
      const outcome = outcomes[Math.min(begun++, outcomes.length - 1)] ?? 1;
      return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve({ siblings: outcome });
    },
  };
  return { round, begun: () => begun };
}

test("it repeats while siblings stand", async () => {
  const { round, begun } = rounds(2, 3, 1);
  assert.deepEqual(await update("k", 5_000, undefined, round), { siblings: 1 });
  assert.equal(begun(), 3);
});

test("it repeats what was refused and may succeed, not what may have happened", async () => {
  const refused = new QuorateError("later", { code: "OVERLOADED", retryable: true });
  const { round, begun } = rounds(refused, 1);
  await update("k", 5_000, undefined, round);
  assert.equal(begun(), 2);
  for (const final of [
    new QuorateError("unknown", { code: "TIMEOUT", retryable: true, outcome: "unknown" }),
    new QuorateError("never", { code: "VALUE_TOO_LARGE" }),
    new Error("of the user"),
  ]) {
    const once = rounds(final, 1);
    await assert.rejects(update("k", 5_000, undefined, once.round), final);
    assert.equal(once.begun(), 1);
  }
});

test("it gives up after a number of rounds, or when time is up", async () => {
  const forever = rounds(2);
  await assert.rejects(update("update k", 5_000, undefined, forever.round), {
    code: "CONFLICT",
    outcome: "unknown",
    attempts: 10,
  });
  const short = rounds(2);
  await assert.rejects(update("update k", 0, undefined, short.round), { code: "CONFLICT" });
  assert.equal(short.begun(), 1);
});

test("an abort between rounds ends it", async () => {
  const controller = new AbortController();
  const { round, begun } = rounds(2);
  const running = update("k", 60_000, controller.signal, {
    ...round,
    write: () => {
      controller.abort("enough");
      return round.write();
    },
  });
  await assert.rejects(running, (reason) => reason === "enough");
  assert.equal(begun(), 1);
});
