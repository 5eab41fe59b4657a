import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { AT_MAX, DamagedLink, decode, encode } from "../src/link.js";
import type { Linked } from "../src/link.js";

const RUN: Linked = {
  at: 4_321.125,
  script: {
    options: { nodes: 5, slots: 64, seed: 7, weights: [1, 1, 2, 1, 1] },
    actions: [
      { at: 0, do: "put", client: 0, key: "cart", value: "Milch & Brötchen <b>" },
      { at: 10, do: "put", client: 1, key: "cart", value: "", after: 1 },
      { at: 10, do: "partition", side: [0, 1] },
      { at: 11.5, do: "heal" },
      { at: 12, do: "link", a: 0, b: 1, delay: 20.5 },
      { at: 12, do: "clock", node: 3, by: -60_000 },
      { at: 13, do: "layout", members: [{ node: 0, weight: 1 }] },
    ],
  },
};

function packed(json: unknown): string {
  return `#run=${deflateSync(JSON.stringify(json)).toString("base64url")}`;
}

function raw(change: object = {}): object {
  return { version: 1, at: 0, options: {}, actions: [], ...change };
}

test("a run comes out of a link as it went in", async () => {
  assert.deepEqual(await decode(`#${await encode(RUN)}`), RUN);
});

test("a link needs no letter that an address would change", async () => {
  assert.match((await encode(RUN)) ?? "", /^run=[A-Za-z0-9_-]+$/);
});

test("an address without a run is no damage", async () => {
  assert.equal(await decode(""), undefined);
  assert.equal(await decode("#panels"), undefined);
});

test("a link that lost its end, or a letter, says so", async () => {
  const link = `#${await encode(RUN)}`;
  for (const damaged of [link.slice(0, -9), `${link.slice(0, 40)}!${link.slice(41)}`, "#run=", "#run=AAAA"]) {
    await assert.rejects(decode(damaged), DamagedLink);
  }
});

test("no single letter that changed goes unnoticed", async () => {
  const text = (await encode(RUN)) ?? "";
  for (let index = "run=".length; index < text.length - 1; index += 1) {
    const other = text[index] === "A" ? "B" : "A";
    await assert.rejects(decode(`#${text.slice(0, index)}${other}${text.slice(index + 1)}`), DamagedLink, `${index}`);
  }
});

test("no link is made that would not be opened", async () => {
  assert.equal(await encode({ ...RUN, at: AT_MAX + 1 }), undefined);
  const actions = Array.from({ length: 5_001 }, () => ({ at: 0, do: "heal" as const }));
  assert.equal(await encode({ at: 0, script: { options: {}, actions } }), undefined);
  const long = { at: 0, do: "put" as const, client: 0, key: "k", value: "v".repeat(600_000) };
  assert.equal(await encode({ at: 0, script: { options: {}, actions: [long] } }), undefined);
  const last = { at: AT_MAX, script: { options: {}, actions: actions.slice(1) } };
  assert.deepEqual(await decode(`#${await encode(last)}`), last);
});

test("what a link brings is checked field by field", async () => {
  assert.deepEqual(await decode(packed(raw())), { at: 0, script: { options: {}, actions: [] } });
  const wrong: object[] = [
    raw({ version: 2 }),
    raw({ at: -1 }),
    raw({ at: 1e12 }),
    raw({ options: { nodes: "5" } }),
    raw({ options: { __proto__x: 1 } }),
    raw({ actions: [{ at: 0, do: "explode" }] }),
    raw({ actions: [{ at: 0, do: "toString" }] }),
    raw({ actions: [{ at: 0, do: "crash" }] }),
    raw({ actions: [{ at: 0, do: "crash", node: 1.5 }] }),
    raw({ actions: [{ at: 0, do: "crash", node: 1, extra: true }] }),
    raw({ actions: [{ do: "heal" }] }),
    raw({ actions: [{ at: 5, do: "heal" }, { at: 4, do: "heal" }] }),
    raw({ actions: [{ at: 0, do: "partition", side: ["0"] }] }),
    raw({ actions: [{ at: 0, do: "layout", members: [{ node: 0 }] }] }),
    raw({ actions: Array.from({ length: 5_001 }, () => ({ at: 0, do: "heal" })) }),
  ];
  for (const json of wrong) {
    await assert.rejects(decode(packed(json)), DamagedLink, JSON.stringify(json).slice(0, 80));
  }
});

test("a small link cannot fill the memory", async () => {
  const bomb = raw({ options: {}, actions: [{ at: 0, do: "put", client: 0, key: "k", value: "x".repeat(1e7) }] });
  const link = packed(bomb);
  assert.ok(link.length < 20_000);
  await assert.rejects(decode(link), /larger than any/);
});
