import assert from "node:assert/strict";
import { test } from "node:test";

import type { Happening } from "quorate/sim";

import { decode, encode } from "../src/link.js";
import { Session } from "../src/time/session.js";

const OPTIONS = { nodes: 5, slots: 64, seed: 3, clients: 2 };

async function travelled(session: Session, to: number): Promise<Happening[]> {
  const all: Happening[] = [];
  for await (const { again, happened } of session.travel(to)) {
    if (again) all.length = 0;
    all.push(...happened);
  }
  return all;
}

/** A run with something in it. */
async function eventful(): Promise<Session> {
  const session = await Session.open({ options: OPTIONS, actions: [] });
  session.advance(3_000);
  await session.act({ do: "put", client: 0, key: "cart", value: "milk" });
  session.advance(500);
  await session.act({ do: "crash", node: 1 });
  session.advance(2_000);
  await session.act({ do: "put", client: 1, key: "cart", value: "eggs" });
  session.advance(1_234.567);
  return session;
}

test("another course begins long after the beginning, too", async () => {
  const session = await Session.open({ options: { nodes: 1 }, actions: [{ at: 700_000, do: "get", client: 0, key: "k" }] });
  for await (const _ of session.travel(650_000));
  assert.ok(session.forks);
  await session.act({ do: "crash", node: 0 });
  assert.deepEqual(session.script.actions, [{ at: 650_000, do: "crash", node: 0 }]);
  session.close();
});

test("what a script asks for and cannot be done is left out of it", async () => {
  const actions = [{ at: 10, do: "restart" as const, node: 0 }, { at: 20, do: "crash" as const, node: 0 }];
  const session = await Session.open({ options: { nodes: 1 }, actions });
  assert.throws(() => session.advance(15), /node 0/);
  assert.deepEqual(session.script.actions, actions.slice(1));
  session.advance(15);
  assert.equal(session.view().nodes[0]?.up, false);
  session.close();
});

test("a link replays a run to the same trace, whatever the steps of its time were", async () => {
  const session = await eventful();
  const linked = await decode(`#${await encode({ script: session.script, at: session.now })}`);
  assert.ok(linked);
  const again = await Session.open(linked.script);
  await travelled(again, linked.at);
  assert.equal(again.now, session.now);
  assert.equal(again.trace(), session.trace());
  again.advance(1);
  session.advance(0.5);
  session.advance(0.5);
  assert.equal(again.trace(), session.trace());
});

test("another seed is another run", async () => {
  const session = await eventful();
  const { actions } = session.script;
  const other = await Session.open({ options: { ...OPTIONS, seed: 4 }, actions });
  await travelled(other, session.now);
  assert.notEqual(other.trace(), session.trace());
});

test("back and forward again is the same moment, and later actions happen again", async () => {
  const session = await eventful();
  const [end, trace, owners] = [session.now, session.trace(), session.view().owners];
  await travelled(session, 3_200);
  assert.equal(session.now, 3_200);
  assert.equal(session.horizon, end);
  assert.ok(session.forks);
  assert.ok(session.view().nodes[1]?.up);
  const happened = await travelled(session, end);
  assert.ok(happened.some((one) => one.kind === "node" && one.what === "down"));
  assert.equal(session.trace(), trace);
  assert.deepEqual(session.view().owners, owners);
  assert.ok(!session.forks);
});

test("to act in the past begins another course", async () => {
  const session = await eventful();
  await travelled(session, 3_200);
  await session.act({ do: "crash", node: 4 });
  assert.ok(!session.forks);
  assert.deepEqual(session.script.actions.map((action) => action.do), ["put", "crash"]);
  assert.equal(session.view().nodes[4]?.up, false);
  session.advance(10_000);
  assert.ok(session.view().nodes[1]?.up, "what was done later in the other course happened in this one");
});

test("what cannot be done says why, and leaves the run as it was", async () => {
  const session = await eventful();
  const { script } = session;
  const before = session.trace();
  await assert.rejects(session.act({ do: "crash", node: 99 }), /\w/);
  await assert.rejects(session.act({ do: "restart", node: 0 }), /\w/);
  assert.equal(session.trace(), before);
  assert.deepEqual(session.script, script);
});
