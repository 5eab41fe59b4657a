// A panic in the module: everybody is told, and the next client works.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { connectWith } from "../src/connect.js";
import { Engine } from "../src/engine.js";
import { QuorateError } from "../src/errors.js";
import { load } from "../src/module.js";
import { machineOptions } from "../src/options.js";
import { Observers } from "../src/status.js";
import type { Socket } from "../src/websocket.js";
import { FakeNode } from "./fake-node.js";

const wasm = (): Uint8Array<ArrayBuffer> => readFileSync(new URL("../dist/client.wasm", import.meta.url));

const OPTIONS = { timeout: 0, r: 0, w: 0, receipt: false, strict: 0, local: 0, ttl: 0 };

async function engine(failures: QuorateError[]): Promise<Engine> {
  const socket = { readyState: 0, close() {}, send() {} } as unknown as Socket;
  return new Engine(await load(wasm), machineOptions({ seeds: ["ws://a"] }), () => socket, new Observers(), {
    onConnected() {},
    onLost() {},
    onRejected() {},
    onLayout() {},
    onFailure: (error) => failures.push(error),
  });
}

test("after a panic all calls end, writes as unknown, and a new client works", async () => {
  const failures: QuorateError[] = [];
  const [one, other] = await Promise.all([engine(failures), engine(failures)]);
  const read = one.get("get", "k", "", OPTIONS, undefined);
  const write = other.put("put", "k", "", "v", OPTIONS, undefined);
  await new Promise((resolve) => setTimeout(resolve, 10));

  assert.throws(() => one.machine.handle(0, 0, 1e9), WebAssembly.RuntimeError);
  const late = one.get("get", "late", "", OPTIONS, undefined);

  const ended = await Promise.allSettled([read, write, late]);
  const errors = ended.map((end) => (end.status === "rejected" ? (end.reason as QuorateError) : assert.fail()));
  assert.deepEqual(errors.map(({ code, outcome }) => [code, outcome]), [
    ["INTERNAL", "none"],
    ["INTERNAL", "unknown"],
    ["INTERNAL", "none"],
  ]);
  assert.equal(failures.length, 2);
  await assert.rejects(async () => other.get("get", "k", "", OPTIONS, undefined), { code: "INTERNAL" });

  const node = await FakeNode.start();
  try {
    const client = await connectWith(wasm, { seeds: [node.url] });
    await client.put("k", "v");
    assert.equal((await client.get("k"))?.text(), "v");
    await client.close();
  } finally {
    await node.stop();
  }
});

test("a client that failed says so in its status and to who listens", async (context) => {
  const node = await FakeNode.start();
  const warnings: string[] = [];
  const logger = { debug() {}, info() {}, warn: (line: string) => void warnings.push(line) };
  try {
    const client = await connectWith(wasm, { seeds: [node.url], logger });
    const told: QuorateError[] = [];
    client.on("failed", ({ error }) => told.push(error));
    const seen: (string | undefined)[] = [];
    const loop = (async () => {
      for await (const { layoutVersion, failure } of client.status()) {
        assert.equal(layoutVersion, 1);
        seen.push(failure?.code);
      }
    })();
    const rings: number[] = [];
    const watching = (async () => {
      for await (const { version } of client.watchRing()) rings.push(version);
    })();
    await new Promise((resolve) => setTimeout(resolve, 5));
    // What crosses the boundary is no batch.
    context.mock.method(DataView.prototype, "setUint32", function (this: DataView, at: number) {
      for (let index = 0; index < 4; index += 1) this.setUint8(at + index, 77);
    });
    const read = client.get("k");
    await assert.rejects(read, { code: "INTERNAL", outcome: "none" });
    context.mock.restoreAll();
    await Promise.all([loop, watching]);
    assert.deepEqual([seen, rings], [[undefined, "INTERNAL"], [1]]);
    assert.deepEqual(told.map(({ code, outcome }) => [code, outcome]), [["INTERNAL", "unknown"]]);
    assert.match(warnings.at(-1) ?? "", /please report it/);
    const { failure, nodes } = client.status();
    assert.deepEqual([failure?.code, nodes], ["INTERNAL", []]);
    await client.close();
    assert.equal(client.status().failure?.code, "INTERNAL");
  } finally {
    await node.stop();
  }
});
