// What a call may ask for and what it is told, against a node that is no Rust.

import assert from "node:assert/strict";
import { test } from "node:test";

import { QuorateError, connect } from "quorate";
import type { ConnectOptions } from "quorate";

import { FakeNode, contextToken } from "./fake-node.js";
import type { PlainFrame } from "./fake-node.js";
import { xxh64 } from "./xxh64.js";
import { withNode } from "./with-node.js";

function requests(node: FakeNode): Record<string, unknown>[] {
  const frames = node.received.flat();
  return frames.map(({ get, put }) => get ?? put).filter((request) => request !== undefined);
}

function failing(code: string, more: object = {}) {
  return ({ get, put }: PlainFrame) => {
    const request = get ?? put;
    return request && [{ reply: { call: request.call, layoutVersion: "1", failure: { code, ...more } } }];
  };
}

async function failure(promise: Promise<unknown>): Promise<QuorateError> {
  const error = await promise.then(() => assert.fail("it should fail"), (reason: unknown) => reason);
  assert.ok(error instanceof QuorateError, String(error));
  return error;
}

test("a call is as strict as it says, or as the client", async () => {
  const asked = async (options: Partial<ConnectOptions>) => {
    let strictness: unknown[] = [];
    await withNode(async (node, client) => {
      await client.get("k");
      await client.get("k", { strict: true });
      await client.put("k", "v", { strict: false });
      await client.delete("k", { strict: true });
      strictness = requests(node).map((request) => request.strictness);
    }, options);
    return strictness;
  };
  const [strict, sloppy] = ["STRICTNESS_STRICT", "STRICTNESS_SLOPPY"];
  assert.deepEqual(await asked({}), [undefined, strict, sloppy, strict]);
  assert.deepEqual(await asked({ strict: true }), [strict, strict, sloppy, strict]);
  assert.deepEqual(await asked({ strict: false }), [sloppy, strict, sloppy, strict]);
});

test("a call is counted in the client's zone as it says, or as the client", async () => {
  const asked = async (options: Partial<ConnectOptions>) => {
    let zones: unknown[] = [];
    await withNode(async (node, client) => {
      await client.get("k");
      await client.get("k", { local: true });
      await client.put("k", "v", { local: false });
      await client.delete("k", { local: true });
      zones = requests(node).map((request) => request.zone);
    }, options);
    return zones;
  };
  assert.deepEqual(await asked({ zone: "eu" }), [undefined, "eu", undefined, "eu"]);
  assert.deepEqual(await asked({ zone: "eu", local: true }), ["eu", "eu", undefined, "eu"]);
  await withNode(async (node, client) => {
    const error = await failure(client.get("k", { local: true }));
    assert.deepEqual([error.code, error.retryable, error.outcome], ["BAD_ZONE", false, "none"]);
    assert.match(error.message, /`zone`/);
    assert.deepEqual(requests(node), []);
  });
});

test("only puts and updates have a time to live, and it has bounds", () =>
  withNode(async (node, client) => {
    const most = 100 * 365 * 24 * 60 * 60 * 1_000;
    await client.put("k", "v", { ttl: 30_000 });
    await client.put("k", "v", { ttl: 0.2 });
    await client.update("u", () => "v", { ttl: most });
    await client.put("k", "v", { ttl: undefined });
    const values = requests(node).flatMap(({ value }) => (value ? [value as { ttlMs?: string }] : []));
    assert.deepEqual(values.map(({ ttlMs }) => ttlMs), ["30000", "1", String(most), undefined]);
    const loose = client as unknown as Record<string, (...rest: unknown[]) => Promise<unknown>>;
    for (const ttl of [0, -1, NaN, Infinity, most + 1, "30s", 30_000n, null]) {
      for (const call of [client.put("k", "v", { ttl } as object), client.update("k", () => "v", { ttl } as object)]) {
        const error = await failure(call);
        assert.equal(error.code, "BAD_ARGUMENT");
        assert.match(error.message, /milliseconds, more than 0 and at most 3153600000000/);
      }
    }
    for (const call of [loose.get?.("k", { ttl: 1 }), loose.delete?.("k", { ttl: 1 })]) {
      assert.match((await failure(call as Promise<unknown>)).message, /only the value of a put or an update/);
    }
    node.intercept = failing("FAILURE_BAD_TTL", { limit: "5", actual: "9" });
    const error = await failure(client.put("k", "v", { ttl: 9 }));
    assert.deepEqual([error.code, error.retryable, error.limit, error.actual], ["BAD_TTL", false, 5, 9]);
  }));

test("an entry says when each of its values expires", () =>
  withNode(async (node, client) => {
    const value = (text: string, expiresMs?: string) => {
      return { payload: Buffer.from(text), checksum: xxh64(Buffer.from(text)).toString(), writtenMs: "1000", expiresMs };
    };
    const values = [value("fleeting", "1767225660000"), value("lasting")];
    node.intercept = ({ get }) =>
      get && [{ reply: { call: get.call, layoutVersion: "1", entry: { values, tombstones: 1 } } }];
    const entry = await client.get("k");
    assert.deepEqual(entry?.expires, new Date(1_767_225_660_000));
    assert.deepEqual(entry?.siblings.map((one) => one.expires?.getTime()), [1_767_225_660_000, undefined]);
    assert.deepEqual([entry?.siblings.length, entry?.deleted], [2, true]);
    values.length = 0;
    assert.equal(await client.get("k"), undefined);
  }));

test("a session read sends the context of an earlier answer", () =>
  withNode(async (node, client) => {
    const { context } = await client.put("k", "v");
    await client.get("k", { context });
    assert.deepEqual(requests(node).at(-1)?.context, Buffer.from(contextToken("k", 7n)));
    const error = await failure(client.get("other", { context }));
    assert.equal(error.code, "BAD_CONTEXT");
    node.intercept = failing("FAILURE_STALE");
    const stale = await failure(client.get("k", { context }));
    assert.deepEqual([stale.code, stale.retryable], ["STALE", true]);
  }));

test("a receipt names who stood in for whom", () =>
  withNode(async (node, client) => {
    node.intercept = ({ put }) =>
      put && [
        {
          reply: {
            call: put.call,
            layoutVersion: "1",
            receipt: {
              coordinator: "7",
              primaries: ["7"],
              needed: 2,
              layoutVersion: "1",
              fallbacks: [{ node: "9", primary: "8" }],
              zone: "eu",
            },
            written: { siblings: 1 },
          },
        },
      ];
    const { receipt } = await client.put("k", "v", { receipt: true });
    assert.deepEqual(receipt, {
      coordinator: "0000000000000007",
      needed: 2,
      layoutVersion: 1,
      primaries: ["0000000000000007"],
      repaired: [],
      fallbacks: [{ node: "0000000000000009", primary: "0000000000000008" }],
      zone: "eu",
      direct: true,
      attempts: 1,
    });
  }));

test("a refused quorum keeps its numbers", () =>
  withNode(async (node, client) => {
    node.intercept = failing("FAILURE_QUORUM_UNAVAILABLE", { needed: 2, acked: 1 });
    const error = await failure(client.put("k", "v", { strict: true }));
    assert.deepEqual(
      [error.code, error.needed, error.acked, error.outcome, error.retryAfter],
      ["QUORUM_UNAVAILABLE", 2, 1, "none", undefined],
    );
  }));

test("an overloaded node is asked again after the time that it named", () =>
  withNode(async (node, client) => {
    const overloaded = failing("FAILURE_OVERLOADED", { retryAfterMs: 60 });
    node.intercept = (frame) => {
      if (!frame.get) return undefined;
      node.intercept = undefined;
      return overloaded(frame);
    };
    const start = performance.now();
    await client.get("k");
    const took = performance.now() - start;
    assert.ok(took >= 60 && took < 1_000, `${took} ms`);
    node.intercept = overloaded;
    const error = await failure(client.get("k", { timeout: 40 }));
    assert.deepEqual([error.code, error.retryAfter, error.retryable], ["OVERLOADED", 60, true]);
  }));

test("a cluster without a layout is waited for", async () => {
  const node = await FakeNode.start();
  node.members = [];
  node.intercept = failing("FAILURE_NOT_READY", { retryAfterMs: 20 });
  try {
    await using client = await connect({ seeds: [node.url] });
    assert.deepEqual(client.ring(), { version: 0, replication: 0, nodes: [], owners: [] });
    assert.deepEqual(client.status().nodes.map(({ id, state }) => [id, state]), [
      ["0000000000000007", "connected"],
    ]);
    assert.throws(() => client.locate("k"), { code: "NOT_READY", retryable: true });
    assert.equal((await failure(client.get("k", { timeout: 50 }))).code, "NOT_READY");
    const read = client.get("k");
    await new Promise((resolve) => setTimeout(resolve, 50));
    node.intercept = undefined;
    assert.equal(await read, undefined);
  } finally {
    await node.stop();
  }
});

test("frames and reasons that are newer than the client do no harm", () =>
  withNode(async (node, client) => {
    node.intercept = ({ get }, socket) => {
      // Field 99 of a frame, and a body that is no frame of a node to a client.
      if (get) socket.send(Buffer.from([5, 0x9a, 0x06, 2, 1, 2, 2, 0xa2, 0x01]));
      return undefined;
    };
    assert.equal(await client.get("k"), undefined);
    node.intercept = ({ get }) =>
      get && [{ reply: { call: get.call, layoutVersion: "1", failure: { code: 4_711 } } }];
    const error = await failure(client.get("k"));
    assert.deepEqual([error.code, error.retryable], ["UNRECOGNIZED", false]);
  }));

test("wrong options are explained", () =>
  withNode(async (node, client) => {
    const loose = client as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    const cases: [Promise<unknown> | undefined, RegExp][] = [
      [loose.get?.("k", { strict: "yes" }), /`strict` must be true or false/],
      [loose.get?.("k", { context: 7 }), /`context` must be a string/],
      [connect({ seeds: [node.url], strict: 1 } as unknown as ConnectOptions), /`strict`/],
      [loose.get?.("k", { local: "yes" }), /`local` must be true or false/],
      [connect({ seeds: [node.url], local: true }), /give a `zone`/],
      [connect({ seeds: [node.url], zone: "" }), /`zone` must be the name/],
      [connect({ seeds: [node.url], zone: "z".repeat(1_025) }), /1 to 1024 bytes/],
      [connect({ seeds: [node.url], zone: 1 } as unknown as ConnectOptions), /`zone`/],
      [connect({ seeds: [node.url], connectionsMax: 0 }), /`connectionsMax`/],
      [connect({ seeds: [node.url], coordinate: "server" as "node" }), /`coordinate`/],
      [connect({ seeds: [node.url], routing: "proxy" as "gateway" }), /`routing`/],
    ];
    for (const [call, expected] of cases) {
      const error = await failure(call ?? Promise.resolve());
      assert.equal(error.code, "BAD_ARGUMENT");
      assert.match(error.message, expected);
    }
  }));
