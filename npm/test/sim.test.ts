// The simulator of the package: a cluster without servers, in virtual time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { replay, simulate } from "quorate/sim";

test("a write survives the crash of the first replica of its key", async () => {
  using world = await simulate({ nodes: 5, seed: 7 });
  const alice = world.client();
  assert.equal(alice.put("cart", "milk").kind, "written");
  const { replicas } = world.locate("cart");
  assert.equal(replicas.length, 3);
  const first = replicas[0];
  assert.ok(first);
  world.crash(first.node);
  const found = alice.get("cart");
  assert.deepEqual(found.kind === "entry" && found.values, ["milk"]);
});

test("two writers with one context leave two siblings, and a merge leaves one", async () => {
  using world = await simulate();
  const [alice, bob] = [world.client(), world.client()];
  alice.put("cart", "milk");
  bob.put("cart", "eggs");
  const found = alice.get("cart");
  assert.ok(found.kind === "entry");
  assert.deepEqual([...found.values].sort(), ["eggs", "milk"]);
  const merged = alice.put("cart", "milk, eggs", { context: found.context });
  assert.ok(merged.kind === "written");
  assert.equal(merged.siblings, 1);
});

test("without a quorum a write is refused with the numbers", async () => {
  using world = await simulate({ nodes: 3 });
  const alice = world.client();
  world.crash(1);
  world.crash(2);
  world.runFor(1_000);
  const refused = alice.put("cart", "milk");
  assert.ok(refused.kind === "failed");
  assert.deepEqual(
    [refused.code, refused.unknown, refused.needed, refused.acked],
    ["QUORUM_UNAVAILABLE", false, 2, 1],
  );
});

test("the same seed gives the same run", async () => {
  const run = async () => {
    using world = await simulate({ seed: 42 });
    const alice = world.client();
    for (let index = 0; index < 20; index += 1) alice.put(`key ${index}`, "value");
    return JSON.stringify(world.view());
  };
  assert.equal(await run(), await run());
});

test("a random run keeps every promise, and its seed replays it", async () => {
  const [first, again, other] = [
    await replay(3, { operations: 100 }),
    await replay(3, { operations: 100 }),
    await replay(4, { operations: 100 }),
  ];
  assert.equal(first.violation, undefined);
  assert.ok(first.written + first.read > 0 && first.events > 500);
  assert.deepEqual(again, first);
  assert.notEqual(other.trace, first.trace);
  await assert.rejects(replay(1, { operations: 20_000 }), /above 10000/);
});

test("a random run counts how each call ended", async () => {
  const { written, read, unknown, refused, orphaned } = await replay(3, { operations: 100 });
  for (const count of [written, read, unknown, refused, orphaned]) {
    assert.ok(Number.isInteger(count) && count >= 0);
  }
});

test("a random run takes the seeds that it can tell apart", async () => {
  const [first, last] = [0, 4_294_967_295];
  const traces = [];
  for (const seed of [first, last]) traces.push((await replay(seed, { operations: 10 })).trace);
  assert.notEqual(traces[0], traces[1]);
  for (const seed of [-1, last + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(replay(seed), {
      name: "RangeError",
      message: `The seed must be an integer from 0 to 4,294,967,295, not ${seed}.`,
    });
  }
});

test("what cannot work is refused with a sentence", async () => {
  await assert.rejects(simulate({ slots: 100 }), /slots/);
  await assert.rejects(simulate({ r: 1, w: 1 }), /R \+ W > N/);
  using world = await simulate();
  assert.throws(() => world.crash(99), /no node 99/);
  assert.throws(() => world.restart(0), /up already/);
});
