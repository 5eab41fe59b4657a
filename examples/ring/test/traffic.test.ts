import assert from "node:assert/strict";
import { test } from "node:test";

import type { Happening } from "quorate/sim";

import { Pace } from "../src/time/pace.js";
import { Comparisons } from "../src/traffic/comparisons.js";
import { Messages } from "../src/traffic/messages.js";
import { Operations } from "../src/traffic/operations.js";

type Frame = Extract<Happening, { kind: "frame" }>;

function frame(given: Partial<Frame>): Frame {
  return { kind: "frame", at: 0, frame: "replicaMerge", from: { node: 0 }, to: { node: 1 }, arrives: 1, note: "", ...given };
}

/** A put of client 0 that node 0 coordinates. */
function begun(): Operations {
  const operations = new Operations();
  operations.add([
    { kind: "call", at: 0, call: 1, client: 0, asks: "put", key: "k", value: "v" },
    frame({ cause: 1, frame: "put", from: { client: 0 }, to: { node: 0 } }),
    { kind: "stored", at: 1, cause: 1, node: 0, key: "k", siblings: ["v"] },
    frame({ cause: 1, at: 1, to: { node: 1 }, arrives: 2 }),
    frame({ cause: 1, at: 1, to: { node: 2 }, arrives: 2 }),
  ]);
  operations.settle(1);
  return operations;
}

test("an acknowledgement counts when it arrives, and once however often it comes", () => {
  const operations = begun();
  const answer = frame({ cause: 1, at: 2, frame: "replicaMerged", from: { node: 1 }, to: { node: 0 }, arrives: 3 });
  operations.add([answer, { ...answer, arrives: 3.5 }]);
  operations.settle(2.9);
  assert.deepEqual(operations.of(1)?.acknowledged, [0]);
  operations.settle(4);
  assert.deepEqual(operations.of(1)?.acknowledged, [0, 1]);
});

test("an acknowledgement that is lost does not count", () => {
  const operations = begun();
  operations.add([{ kind: "frame", at: 2, cause: 1, frame: "replicaMerged", from: { node: 2 }, to: { node: 0 }, lost: "cut", note: "" }]);
  operations.settle(10);
  assert.deepEqual(operations.of(1)?.acknowledged, [0]);
});

test("what has another cause belongs to another call", () => {
  const operations = begun();
  operations.add([frame({ cause: 2, frame: "replicaMerged", from: { node: 1 }, to: { node: 0 } })]);
  operations.settle(10);
  assert.deepEqual(operations.of(1)?.acknowledged, [0]);
  assert.equal(operations.of(1)?.legs.length, 3);
});

test("a message is under way from when it is seen until it arrives", () => {
  const messages = new Messages();
  messages.add([frame({ at: 5, arrives: 6 })], 5.1, 0);
  assert.equal(messages.flying[0]?.sent, 5.1);
  messages.settle(5.9, true);
  assert.equal(messages.flying.length, 1);
  messages.settle(6, true);
  assert.equal(messages.flying.length, 0);
});

test("gossip is stretched while time runs, does not slow it down, and goes when time is slow", () => {
  const messages = new Messages();
  messages.add([frame({ frame: "gossip", at: 5, arrives: 5.5 })], 5, 300);
  assert.equal(messages.flying[0]?.arrives, 305);
  assert.equal(messages.shortest(5), undefined);
  messages.settle(6, true);
  assert.equal(messages.flying.length, 0);
});

test("a message that is dropped on its way is seen to be lost", () => {
  const messages = new Messages();
  messages.add([frame({ at: 5, arrives: 9 })], 5, 0);
  messages.drop([{ kind: "dropped", at: 6, frame: "replicaMerge", from: { node: 0 }, to: { node: 1 }, lost: "nobody" }], 6);
  assert.equal(messages.flying[0]?.lost, "nobody");
  messages.settle(9, true);
  assert.equal(messages.flying.length, 0);
});

test("time is slow while a message flies, and gathers speed when none does", () => {
  const pace = new Pace();
  const flying = { shortest: 1, busy: true };
  const calm = { shortest: undefined, busy: false };
  let now = 0;
  const advance = (virtual: number) => (now += virtual);
  pace.frame(900, () => flying, advance);
  assert.ok(Math.abs(now - 1) < 0.01, `${now}`);
  const first = pace.speed(calm);
  for (let frame = 0; frame < 200; frame += 1) pace.frame(16, () => calm, advance);
  assert.ok(pace.speed(calm) > 100 * first);
  pace.frame(16, () => flying, advance);
  assert.equal(pace.speed(calm), first);
});

test("a message ends the haste within the frame in which it is sent", () => {
  const pace = new Pace();
  const calm = { shortest: undefined, busy: false };
  for (let frame = 0; frame < 200; frame += 1) pace.frame(16, () => calm, () => {});
  let now = 0;
  // Something is sent at once, of which the pace learns after its first step.
  pace.frame(16, () => (now > 0 ? { shortest: 1, busy: true } : calm), (virtual) => (now += virtual));
  assert.ok(now < 3, `${now} ms of virtual time passed`);
});

test("time that stands still does not pass", () => {
  const pace = new Pace();
  pace.playing = false;
  pace.frame(16, () => ({ shortest: undefined, busy: false }), () => assert.fail("time passed"));
});

test("a comparison that narrows is kept, step by step, and one that finds nothing is not", () => {
  const comparisons = new Comparisons();
  const ask = (note: string) => frame({ frame: "compare", from: { node: 0 }, to: { node: 1 }, note: `n0:7 ${note}` });
  const answer = (note: string) => frame({ frame: "compared", from: { node: 1 }, to: { node: 0 }, note: `n0:7 ${note}` });
  comparisons.add([ask("38 branches"), answer("0 branches differ")]);
  assert.deepEqual(comparisons.list(), []);
  comparisons.add([ask("38 branches"), answer("1 branches differ"), ask("16 branches"), answer("1 branches differ")]);
  comparisons.add([ask("slot 5 branch 2.37: 1 states"), answer("1 keys differ"), ask("slot 5: 1 keys"), answer("1 records, 0 wanted")]);
  comparisons.add([ask("38 branches"), answer("0 branches differ")]);
  const [only, ...others] = comparisons.list();
  assert.deepEqual(others, []);
  assert.deepEqual(only?.between, [0, 1]);
  assert.deepEqual(only?.steps, [
    "38 branches",
    "1 branch differs",
    "16 branches",
    "1 branch differs",
    "slot 5 branch 2.37: 1 state",
    "1 key differs",
    "slot 5: 1 key",
    "1 record, 0 wanted",
  ]);
});
