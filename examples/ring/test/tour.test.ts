import assert from "node:assert/strict";
import { test } from "node:test";

import { members } from "../src/panels/change.js";
import { SCENARIOS } from "../src/tour/scenarios.js";
import { ended, hintsHeld, primary } from "../src/tour/stage.js";
import { STEPS } from "../src/tour/steps.js";
import { Table } from "./stage.js";

for (const step of STEPS) {
  test(`step of the tour: ${step.title}`, async () => {
    const table = await Table.open(step.opening);
    for (const deed of step.deeds) {
      assert.equal(deed.done(table.stage), false, `${deed.label}: done before it was begun`);
      await deed.do(table.stage);
      table.wait((stage) => deed.done(stage));
      assert.doesNotMatch(deed.then(table.stage), /undefined|node \d/);
    }
    assert.deepEqual(table.told, []);
  });
}

function checks(index: number, table: Table): boolean[] {
  return SCENARIOS[index]?.checks.map((check) => check.done(table.stage)) ?? [];
}

async function opened(index: number): Promise<Table> {
  const scenario = SCENARIOS[index];
  assert.ok(scenario);
  const table = await Table.open(scenario.opening);
  assert.ok(checks(index, table).some((done) => !done));
  return table;
}

test("two dead nodes lose no write, and the check sees it", async () => {
  const table = await opened(0);
  for (const index of [0, 1]) await table.session.act({ do: "crash", node: primary(table.stage, index) });
  for (let write = 0; write < 3; write += 1) {
    await table.session.act({ do: "put", client: 0, key: `order-${write}`, value: "one" });
    table.wait((stage) => ended(stage, "put", write + 1));
  }
  assert.deepEqual(checks(0, table).slice(0, 3), [true, true, false]);
  for (const [node, { up }] of table.stage.scene.view.nodes.entries()) {
    if (!up) await table.session.act({ do: "restart", node });
  }
  table.wait((stage) => hintsHeld(stage) === 0 && checks(0, table).every((done) => done));
});

test("writes while one node is dead do not solve the scenario of two", async () => {
  const table = await opened(0);
  await table.session.act({ do: "crash", node: 0 });
  for (let write = 0; write < 3; write += 1) {
    await table.session.act({ do: "put", client: 0, key: `order-${write}`, value: "one" });
    table.wait((stage) => ended(stage, "put", write + 1));
  }
  await table.session.act({ do: "restart", node: 0 });
  table.pass(10_000);
  assert.deepEqual(checks(0, table).slice(0, 2), [false, false]);
});

test("a conflict that was made and merged is seen", async () => {
  const table = await opened(1);
  const [one, other] = [0, 1];
  await table.session.act({ do: "put", client: one, key: "cart", value: "bread" });
  await table.session.act({ do: "put", client: other, key: "cart", value: "eggs" });
  table.wait((stage) => ended(stage, "put", 2) && checks(1, table)[0] === true);
  assert.equal(checks(1, table)[2], false);
  const read = await table.session.act({ do: "get", client: one, key: "cart" });
  table.wait((stage) => ended(stage, "get", 1));
  await table.session.act({ do: "put", client: one, key: "cart", value: "bread, eggs", ...(read === undefined ? {} : { after: read }) });
  table.wait(() => checks(1, table).every((done) => done));
});

test("a spare node that takes the place of a dead one solves the third scenario", async () => {
  const table = await opened(2);
  const next = [...members(table.stage.scene.view).filter(({ node }) => node !== 2), { node: 5, weight: 1 }];
  await table.session.act({ do: "layout", members: next });
  table.wait(() => checks(2, table).every((done) => done));
});
