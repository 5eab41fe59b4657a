// Runs that a page plays with: time passes by steps, and everything that happens is told.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { play, playSeed, replay } from "quorate/sim";
import type { Happening, Script } from "quorate/sim";

import { simulatorBinary } from "./cluster.js";

/** The happenings of one kind. */
function of<K extends Happening["kind"]>(happenings: readonly Happening[], kind: K) {
  return happenings.filter((it): it is Extract<Happening, { kind: K }> => it.kind === kind);
}

const SCRIPT: Script = {
  options: { nodes: 6, zones: 3, newcomers: 1, seed: 7, clients: 3 },
  actions: [
    { at: 2_500.125, do: "put", client: 0, key: "a", value: "1" },
    { at: 3_000, do: "crashZone", zone: "z1" },
    { at: 3_000, do: "put", client: 2, key: "b", value: "2" },
    { at: 3_500, do: "link", a: 0, b: 2, delay: 50.5, loss: 100 },
    { at: 6_000, do: "put", client: 0, key: "a", value: "3", after: 1 },
    { at: 7_000, do: "restartZone", zone: "z1" },
    { at: 12_000, do: "partition", side: [0, 1] },
    { at: 13_000, do: "delete", client: 1, key: "b" },
    { at: 20_000, do: "heal" },
    { at: 21_000, do: "get", client: 1, key: "a" },
    { at: 22_000, do: "layout", members: [0, 1, 2, 3, 4, 5, 6].map((node) => ({ node, weight: 1 })) },
  ],
};

test("a put is told from the call to its end, with who acknowledged it", async () => {
  using run = await play({ options: { nodes: 5 }, actions: [] });
  assert.equal(run.now, 0);
  run.advance(3_000);
  const call = run.act({ do: "put", client: 0, key: "cart", value: "milk" });
  assert.equal(call, 1);
  assert.equal(run.act({ do: "clock", node: 0, by: 1_000 }), undefined);
  const seen = run.advance(500);
  assert.equal(run.now, 3_500);

  assert.deepEqual(of(seen, "call"), [
    { kind: "call", at: 3_000, cause: 1, call: 1, client: 0, asks: "put", key: "cart", value: "milk" },
  ]);
  const [ended, ...more] = of(seen, "ended");
  assert.ok(ended && more.length === 0);
  assert.ok(ended.outcome.kind === "written" && ended.outcome.receipt);
  const { coordinator, needed, primaries, fallbacks } = ended.outcome.receipt;
  assert.deepEqual([needed, fallbacks], [2, []]);

  const { nodes, walk } = run.locate("cart");
  const homes = nodes.filter((it) => it.primary).map((it) => it.node);
  assert.equal(coordinator, homes[0]);
  assert.ok(primaries.every((node) => homes.includes(node)));
  assert.deepEqual(walk.filter((it) => it.taken !== undefined).map((it) => it.node), homes);
  assert.deepEqual(nodes[0]?.siblings.map((it) => it.value), ["milk"]);
  const stored = of(seen, "stored").filter((it) => it.cause === call);
  assert.deepEqual(stored.map((it) => it.node).sort(), [...homes].sort());

  const merges = of(seen, "frame").filter((it) => it.frame === "replicaMerge");
  assert.equal(merges.length, 2);
  for (const { at, arrives, cause, from, key } of merges) {
    assert.ok(arrives !== undefined && arrives > at);
    assert.deepEqual([cause, from, key], [call, { node: coordinator }, "cart"]);
  }
  const view = run.view();
  assert.equal(view.nodes[0]?.clock, 1_000);
  assert.deepEqual(view.keys.map((it) => [it.key, it.siblings]), [["cart", 1]]);
  assert.equal(view.owners.length, 64);
});

test("a failure is seen by all: heartbeats age, witnesses accuse, a hint is kept", async () => {
  using run = await play({ options: { nodes: 5, seed: 3 }, actions: [] });
  run.advance(5_000);
  const down = run.locate("cart").nodes[1]?.node ?? 0;
  run.act({ do: "crash", node: down });
  const silence = run.advance(20_000);
  assert.ok(of(silence, "told").some((it) => it.name === "memberDown" && it.text.includes(`n${down}`)));
  const view = run.view();
  assert.deepEqual(view.nodes[down]?.sees, [null, null, null, null, null]);
  for (const { up, sees } of view.nodes.filter((it) => it.up)) {
    assert.ok(up);
    const seen = sees[down];
    assert.ok(seen && seen.state === "down" && seen.age > 5_000 && seen.witnesses.length >= 2);
  }
  const put = run.act({ do: "put", client: 0, key: "cart", value: "milk" });
  const hints = of(run.advance(1_000), "stored").filter((it) => it.hintFor !== undefined);
  assert.deepEqual(hints.map((it) => [it.cause, it.hintFor]), [[put, down]]);
  const keeper = hints[0]?.node ?? -1;
  assert.deepEqual(run.view().nodes[keeper]?.hints, [{ for: down, count: 1 }]);
  run.act({ do: "restart", node: down });
  const home = of(run.advance(20_000), "removed");
  assert.deepEqual(home.map((it) => [it.node, it.hintFor]), [[keeper, down]]);
});

test("what cannot be done is said in a sentence", async () => {
  await assert.rejects(play({ options: { clients: 99 }, actions: [] }), /clients: 99/);
  using run = await play({ options: {}, actions: [] });
  const refused: [Parameters<typeof run.act>[0], RegExp][] = [
    [{ do: "crash", node: 9 }, /^Error: there is no node 9: they are numbered from 0 to 4$/],
    [{ do: "restart", node: 0 }, /node 0 is up/],
    [{ do: "put", client: 0, key: "a", value: "", after: 4 }, /there is no call 4/],
  ];
  for (const [action, why] of refused) assert.throws(() => run.act(action), why);
  assert.throws(() => run.advance(-1), /no time that can pass/);
  assert.throws(() => run.advance(Number.NaN), /no time that can pass/);
  assert.throws(() => run.advance(600_001), /no more than 600000 ms/);
  assert.deepEqual(run.script(), { options: {}, actions: [] });
  assert.match((run.plan([]) as { refused: string }).refused, /no members/);
});

test("a script is the same run in pieces, replayed, and natively", async () => {
  using whole = await play(SCRIPT);
  const seen = whole.advance(40_000);
  using pieces = await play(SCRIPT);
  const collected: Happening[] = [];
  while (pieces.now < 40_000) collected.push(...pieces.advance(12.5));
  assert.equal(pieces.trace(), whole.trace());
  assert.deepEqual(collected, seen);
  assert.deepEqual(pieces.view(), whole.view());
  assert.deepEqual(whole.script(), SCRIPT);

  const folder = await mkdtemp(join(tmpdir(), "quorate-play-"));
  try {
    const file = join(folder, "script.json");
    await writeFile(file, JSON.stringify(whole.script()));
    const { stdout } = await promisify(execFile)(simulatorBinary(), [
      ...["sim", "--script", file, "--until", "40000", "--json"],
    ]);
    const native = JSON.parse(stdout) as { now: number; trace: string; ended: Happening[] };
    assert.equal(native.trace, whole.trace());
    assert.equal(native.now, whole.now);
    assert.deepEqual(native.ended, of(seen, "ended"));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a plan is looked at and then committed", async () => {
  using run = await play({ options: { nodes: 4, newcomers: 1 }, actions: [] });
  run.advance(3_000);
  const members = [0, 1, 2, 3, 4].map((node) => ({ node, weight: 1 }));
  const plan = run.plan(members);
  assert.ok("version" in plan);
  assert.equal(plan.owners.filter((owner) => owner === 4).length, plan.moved);
  assert.ok(plan.balance.every((balance) => balance >= 1 && balance < 1.3));
  assert.ok(plan.changes.some(({ node, gains, gives }) => node === 4 && gains > 0 && gives === 0));
  run.act({ do: "layout", members });
  run.advance(60_000);
  const view = run.view();
  assert.deepEqual([view.version, view.owners], [plan.version, plan.owners]);
  const { member, layouts, slotsToFill } = view.nodes[4] ?? {};
  assert.ok(member);
  const { version } = plan;
  assert.deepEqual(layouts, { oldest: version, newest: version, read: version });
  assert.equal(slotsToFill, 0);
});

test("the run of a seed is played back", async () => {
  const plain = await replay(3, { operations: 100 });
  using recording = await playSeed(3, { operations: 100 });
  assert.deepEqual(recording.replay, plain);
  assert.equal(recording.trace(), plain.trace);
  assert.equal(Math.floor(recording.end), plain.simulated);
  const first = recording.advance(5_000);
  assert.ok(first.every((it) => it.at <= 5_000));
  const rest = recording.advance(recording.end);
  assert.equal(recording.now, recording.end);
  const ends = [...of(first, "ended"), ...of(rest, "ended")];
  const failed = ends.filter(({ outcome }) => outcome.kind === "failed");
  assert.ok(ends.length - failed.length >= plain.written + plain.read);
  const last = recording.view();
  assert.ok(last.now <= recording.end && last.now > recording.end - 2_000);
  recording.seek(0);
  assert.deepEqual(recording.advance(5_000), first);
  assert.ok(recording.view().now < 5_001);
  assert.throws(() => recording.act({ do: "heal" }), /is over/);
  await assert.rejects(playSeed(-1), RangeError);
});
