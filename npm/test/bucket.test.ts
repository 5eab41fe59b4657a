// Buckets, reads of many keys, rings as they change, and a close that waits; against a node that is
// no Rust.

import assert from "node:assert/strict";
import { test } from "node:test";

import { QuorateError, lastWrite, max, mergeObject, union } from "quorate";
import type { Key } from "quorate";

import { withNode } from "./with-node.js";

const fails = (code: string, told: RegExp) => (error: unknown) => {
  assert.ok(error instanceof QuorateError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, told);
  return true;
};

test("resolvers make one value of several", () => {
  assert.equal(lastWrite(["new", "old"]), "new");
  assert.equal(max([3, 10, 7]), 10);
  assert.equal(max([2n, 1n]), 2n);
  assert.deepEqual(max([new Date(1), new Date(5), new Date(3)]), new Date(5));
  assert.deepEqual(union([["a", "b"], ["b", "c"], []]), ["a", "b", "c"]);
  assert.deepEqual(union([[{ id: 1 }], [{ id: 1 }, { id: 2 }]]), [{ id: 1 }, { id: 2 }]);
  assert.deepEqual(mergeObject([{ a: 2, b: 1 }, { a: 1, c: 1 }]), { a: 2, b: 1, c: 1 });
});

test("a bucket puts its name in front of keys, whatever they are made of", () =>
  withNode(async (node, client) => {
    const carts = client.bucket<string[]>("carts");
    await carts.put("ada", ["milk"]);
    await carts.put(new TextEncoder().encode("bob"), ["tea"]);
    assert.deepEqual([...node.values.keys()].sort(), ["carts/ada", "carts/bob"]);
    assert.deepEqual((await carts.get("bob"))?.value, ["tea"]);
    assert.equal(carts.locate("ada").position, client.locate("carts/ada").position);
    await carts.delete("ada");
    assert.equal(await carts.get("ada"), undefined);
    for (const name of ["", "a/b", 7 as unknown as string]) {
      assert.throws(() => client.bucket(name), fails("BAD_ARGUMENT", /name/));
    }
  }));

test("what stands side by side is resolved, and shown", () =>
  withNode(async (_, client) => {
    const carts = client.bucket<string[]>("carts", { resolve: union });
    await carts.put("ada", ["milk", "tea"]);
    await carts.put("ada", ["tea", "bread"]);
    const entry = await carts.get("ada", { receipt: true });
    assert.deepEqual(entry?.value, ["tea", "bread", "milk"]);
    assert.deepEqual(entry?.siblings, [["tea", "bread"], ["milk", "tea"]]);
    assert.ok(entry.context.length > 0 && entry.written instanceof Date && !entry.deleted);
    const newest = await client.bucket<string[]>("carts").get("ada");
    assert.deepEqual(newest?.value, ["tea", "bread"], "the newest, unless a resolver is given");
  }));

test("an update gets the resolved value and all siblings", () =>
  withNode(async (node, client) => {
    const carts = client.bucket<string[]>("carts", { resolve: union });
    await carts.put("ada", ["milk"]);
    await carts.put("ada", ["tea"]);
    // Contexts mean nothing to this node: here the write replaces all.
    node.intercept = (frame) => {
      if (frame.put) node.values.clear();
      return undefined;
    };
    const written = await carts.update("ada", (value, siblings) => {
      assert.deepEqual(siblings, [["tea"], ["milk"]]);
      return [...(value ?? []), "bread"];
    });
    assert.deepEqual(written.value, ["tea", "milk", "bread"]);
    assert.equal(written.siblings, 1);
    assert.deepEqual((await carts.get("ada"))?.value, written.value);
    const hits = client.bucket<number>("hits");
    assert.equal((await hits.update("page", (count = 0) => count + 1)).value, 1);
    await assert.rejects(hits.update("page", 7 as never), fails("BAD_ARGUMENT", /function/));
  }));

test("codecs read what they wrote, and say so where they cannot", () =>
  withNode(async (_, client) => {
    const texts = client.bucket("texts", { codec: "utf8" });
    await texts.put("a", "\ufeffmilk");
    assert.equal((await texts.get("a"))?.value, "\ufeffmilk");
    const bytes = client.bucket("texts", { codec: "bytes" });
    assert.deepEqual((await bytes.get("a"))?.value, new TextEncoder().encode("\ufeffmilk"));
    await bytes.put("b", Uint8Array.of(0xff));
    await assert.rejects(texts.get("b"), fails("BAD_VALUE", /"texts\/b" holds/));
    const json = client.bucket("texts");
    await assert.rejects(json.get("a"), fails("BAD_VALUE", /"texts\/a" holds .*JSON/));
    await assert.rejects(json.update("a", () => 1), fails("BAD_VALUE", /"texts\/a" holds/));
    const asked = client.stats().calls;
    await assert.rejects(json.put("c", undefined), fails("BAD_ARGUMENT", /no JSON/));
    assert.equal(client.stats().calls, asked, "nothing was sent");

    const dates = client.bucket<Date>("dates", {
      codec: { encode: (date) => String(date.getTime()), decode: (one) => new Date(Number(new TextDecoder().decode(one))) },
      resolve: max,
    });
    await dates.put("a", new Date(9));
    await dates.put("a", new Date(5));
    assert.deepEqual((await dates.get("a"))?.value, new Date(9));
    for (const codec of ["xml", {}, null]) {
      assert.throws(() => client.bucket("a", { codec } as never), fails("BAD_ARGUMENT", /codec/));
    }
    assert.throws(() => client.bucket("a", { resolve: "max" } as never), fails("BAD_ARGUMENT", /resolve/));
  }));

test("many keys are read together, each once for each time that it is asked for", () =>
  withNode(async (node, client) => {
    const keys = Array.from({ length: 1_500 }, (_, index) => `key ${index}`);
    await Promise.all(keys.slice(0, 1_000).map((key) => client.put(key, key)));
    const before = node.received.length;
    const found = new Map<Key, string | undefined>();
    for await (const [key, entry] of client.getMany(keys)) found.set(key, entry?.text());
    assert.ok(node.received.length - before < 20, `${node.received.length - before} messages`);
    assert.deepEqual(keys.map((key) => found.get(key)), keys.map((key, index) => (index < 1_000 ? key : undefined)));

    const twice: Key[] = [];
    const bucket = client.bucket("carts", { codec: "utf8" });
    for await (const [key] of bucket.getMany(["a", "a", "b"])) twice.push(key);
    assert.deepEqual(twice.sort(), ["a", "a", "b"]);
    for await (const _ of client.getMany([])) assert.fail("nothing was asked for");
    assert.throws(() => client.getMany("keys"), fails("BAD_ARGUMENT", /list of keys/));
  }));

test("who leaves the loop takes the rest back, and of an endless list no more is taken", () =>
  withNode(async (_, client) => {
    let taken = 0;
    let isClosed = false;
    const endless = function* (): Generator<string> {
      try {
        for (;;) yield `key ${taken++}`;
      } finally {
        isClosed = true;
      }
    };
    for await (const [key] of client.getMany(endless())) {
      assert.equal(key, "key 0");
      break;
    }
    assert.ok(taken < 2_000 && isClosed, String(taken));
    assert.equal(client.stats().inFlight, 0);
  }));

test("a read of many ends with the first failure", () =>
  withNode(async (_, client) => {
    const all = client.getMany(["a", "", "b"]);
    await assert.rejects(async () => {
      for await (const _ of all);
    }, fails("KEY_SIZE", /get/));
    const controller = new AbortController();
    controller.abort("enough");
    const none = client.getMany(["a"], { signal: controller.signal });
    await assert.rejects(none.next(), (reason) => reason === "enough");
    assert.equal(client.stats().inFlight, 0);
  }));

test("a close that drains lets calls end, and begins none", () =>
  withNode(async (node, client) => {
    node.pause();
    const under_way = client.put("cart", "milk");
    const closing = client.close({ drain: true });
    await assert.rejects(client.get("cart"), fails("CLOSED", /closed/));
    node.resume();
    assert.equal((await under_way).siblings, 1);
    await closing;
    await client.close({ drain: true });
  }));

test("a close waits no longer than it is told", () =>
  withNode(async (node, client) => {
    node.pause();
    const under_way = assert.rejects(client.put("cart", "milk"), { code: "CLOSED", outcome: "unknown" });
    await Promise.all([client.close({ drain: 20 }), client.close({ drain: 30 })]);
    await under_way;
    for (const drain of [0, -1, "yes"]) {
      await assert.rejects(client.close({ drain } as never), fails("BAD_ARGUMENT", /drain/));
    }
  }));

test("a watcher gets the ring that is there, and ends with the client", () =>
  withNode(async (_, client) => {
    const versions: number[] = [];
    for await (const ring of client.watchRing()) {
      versions.push(ring.version);
      assert.equal(ring, client.ring());
      void client.close();
    }
    assert.deepEqual(versions, [1]);
  }));
