// The bytes that cross into and out of the module, against a machine that only records.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CommandBatch, NEVER } from "../src/commands.js";
import { ResultBatch } from "../src/results.js";
import { Entry, Written } from "../src/entry.js";
import type { RawEntry, RawWritten, ResultSink } from "../src/results.js";

const OPTIONS = { timeout: 2_500, r: 2, w: 3, receipt: true, strict: 1, local: 2, ttl: 0 };
const OPTIONS_BYTES = [0xc4, 0x09, 0, 0, 2, 3, 1, 1 | (2 << 2)];
const NO_CONTEXT = new Uint8Array(0);

function recorder() {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const batches: number[][] = [];
  let arena = 64;
  const machine = {
    reserve(length: number): number {
      // What stood in the arena stays, wherever it moves, and moving may make the memory grow.
      const moved = 65_536 * (memory.buffer.byteLength / 65_536);
      memory.grow(Math.ceil(length / 65_536));
      new Uint8Array(memory.buffer).copyWithin(moved, arena, arena + 65_536);
      arena = moved;
      return arena;
    },
    handle(_instant: number, _unix: number, length: number): number {
      batches.push([...new Uint8Array(memory.buffer, arena, length)]);
      return 0;
    },
    output: () => 0,
  };
  return { batches, batch: new CommandBatch(machine, memory) };
}

test("commands are written as Rust reads them", () => {
  const { batches, batch } = recorder();
  batch.opened(7);
  batch.message(7, new Uint8Array([0xaa, 0xbb]));
  batch.get(OPTIONS, "k", new Uint8Array([99, 120]));
  batch.cancel(2 ** 32 + 1);
  batch.closed(7);
  batch.wake();
  batch.redial("ws:1", 1_000);
  batch.redial("", NEVER);
  batch.ping("0000000100000009", 0);
  batch.close();
  batch.run();
  // The same bytes as in `wasm/src/client/commands.rs`.
  assert.deepEqual(batches[0], [
    ...[1, 0, 0, 0, 7, 0, 0, 0],
    ...[3, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 0xaa, 0xbb],
    ...[4, 0, 0, 0, ...OPTIONS_BYTES, 1, 0, 0, 0, 107, 2, 0, 0, 0, 99, 120],
    ...[7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0],
    ...[2, 0, 0, 0, 7, 0, 0, 0],
    ...[9, 0, 0, 0],
    ...[10, 0, 0, 0, 0xe8, 3, 0, 0, 4, 0, 0, 0, ...Buffer.from("ws:1")],
    ...[10, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
    ...[11, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0],
    ...[8, 0, 0, 0],
  ]);
  batch.run();
  assert.deepEqual(batches[1], []);
});

test("puts and deletes carry key, context and value", () => {
  const { batches, batch } = recorder();
  const ttl = 2 ** 32 + 30_000;
  const sloppy = { timeout: 0, r: 0, w: 0, receipt: false, strict: 2, local: 1, ttl };
  batch.put(sloppy, "k", new Uint8Array([99, 120]), new Uint8Array(0));
  batch.put(OPTIONS, "k", NO_CONTEXT, "v");
  batch.delete(OPTIONS, new Uint8Array([107]), new Uint8Array(0));
  batch.run();
  assert.deepEqual(batches[0], [
    ...[5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 | (1 << 2), 0x30, 0x75, 0, 0, 1, 0, 0, 0],
    ...[1, 0, 0, 0, 107, 2, 0, 0, 0, 99, 120, 0, 0, 0, 0],
    ...[5, 0, 0, 0, ...OPTIONS_BYTES, 0, 0, 0, 0, 0, 0, 0, 0],
    ...[1, 0, 0, 0, 107, 0, 0, 0, 0, 1, 0, 0, 0, 118],
    ...[6, 0, 0, 0, ...OPTIONS_BYTES, 1, 0, 0, 0, 107, 0, 0, 0, 0],
  ]);
});

test("a context may come as text, and a damaged one leaves nothing behind", () => {
  const { batches, batch } = recorder();
  batch.get(OPTIONS, "k", "Y3g");
  assert.throws(() => batch.put(OPTIONS, "k", "Y3g!", "v"), { code: "BAD_CONTEXT" });
  batch.delete(OPTIONS, "k", "");
  batch.run();
  assert.deepEqual(batches[0], [
    ...[4, 0, 0, 0, ...OPTIONS_BYTES, 1, 0, 0, 0, 107, 2, 0, 0, 0, 99, 120],
    ...[6, 0, 0, 0, ...OPTIONS_BYTES, 1, 0, 0, 0, 107, 0, 0, 0, 0],
  ]);
});

test("bytes that were transferred away are an error, and leave nothing behind", () => {
  const { batches, batch } = recorder();
  const gone = Uint8Array.of(1, 2, 3);
  structuredClone(gone, { transfer: [gone.buffer] });
  assert.throws(() => batch.put(OPTIONS, "k", NO_CONTEXT, gone), TypeError);
  assert.throws(() => batch.get(OPTIONS, gone, NO_CONTEXT), TypeError);
  batch.delete(OPTIONS, "k", "");
  batch.run();
  assert.deepEqual(batches[0], [6, 0, 0, 0, ...OPTIONS_BYTES, 1, 0, 0, 0, 107, 0, 0, 0, 0]);
});

test("keys are UTF-8, whatever their length and letters", () => {
  const { batches, batch } = recorder();
  const keys = ["a", "schlüssel/€", "鍵🔑", "x".repeat(64), "y".repeat(65), "z".repeat(63) + "ö", ""];
  for (const key of keys) batch.get(OPTIONS, key, NO_CONTEXT);
  batch.run();
  const expected = keys.flatMap((key) => {
    const utf8 = Buffer.from(key);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(utf8.length);
    return [4, 0, 0, 0, ...OPTIONS_BYTES, ...length, ...utf8, 0, 0, 0, 0];
  });
  assert.deepEqual(batches[0], expected);
});

test("a batch survives the growth of the arena", () => {
  const { batches, batch } = recorder();
  const value = new Uint8Array(50_000).fill(7);
  for (let index = 0; index < 4; index += 1) batch.put(OPTIONS, `key ${index}`, value, value);
  assert.equal(batch.isFull, true);
  batch.run();
  assert.equal(batches[0]?.length, 4 * (32 + 5 + 100_000));
  assert.equal(batch.isFull, false);
});

class Writer {
  readonly #parts: Buffer[] = [];

  u32(...numbers: number[]): this {
    for (const number of numbers) {
      const part = Buffer.alloc(4);
      part.writeUInt32LE(number);
      this.#parts.push(part);
    }
    return this;
  }

  u64(number: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(number);
    this.#parts.push(part);
    return this;
  }

  text(text: string): this {
    const utf8 = Buffer.from(text);
    this.u32(utf8.length).#parts.push(utf8);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  read(): { events: unknown[][]; wake: number | undefined } {
    const bytes = this.bytes();
    const memory = new WebAssembly.Memory({ initial: 1 });
    new Uint8Array(memory.buffer).set(bytes, 3);
    const events: unknown[][] = [];
    const sink = new Proxy({} as ResultSink, {
      get: (_target, name) => (...given: unknown[]) => {
        events.push([name, ...given.map((one) => (one instanceof Uint8Array ? [...one] : one))]);
        // A sink may make the memory grow: all views are detached then.
        memory.grow(1);
      },
    });
    return { wake: new ResultBatch(memory).read(3, bytes.length, sink), events };
  }
}

test("results are read as Rust writes them", () => {
  const { wake, events } = new Writer()
    .u32(1_500)
    .u32(1, 9).text("ws://a")
    .u32(2, 9).text("frames")
    .u32(3, 9)
    .u32(7).u64(0xfedc_ba98_0000_0001n).text("ws://a")
    .u32(8).u32(0).u64(0n).text("ws://a")
    .u32(8).u32(1).u64(7n).text("ws://a")
    .u32(9).u64(2n ** 40n)
    .u32(10).text("ws://a").text("CLUSTER").text("another")
    .u32(11).u64(7n).u32(1)
    .u32(11).u64(7n).u32(2)
    .u32(11).u64(7n).u32(3)
    .u32(12).u64(7n)
    .u32(13).u64(5n).u32(1_250)
    .read();
  assert.equal(wake, 1_500);
  assert.deepEqual(events, [
    ["onDial", 9, "ws://a"],
    ["onSend", 9, [...Buffer.from("frames")]],
    ["onHangup", 9],
    ["onConnected", "fedcba9800000001", "ws://a"],
    ["onDisconnected", undefined, "ws://a"],
    ["onDisconnected", "0000000000000007", "ws://a"],
    ["onLayout", 2 ** 40],
    ["onRejected", "ws://a", "CLUSTER", "another"],
    ["onNodeDown", "0000000000000007", "silent"],
    ["onNodeDown", "0000000000000007", "unreachable"],
    ["onNodeDown", "0000000000000007", "reported"],
    ["onNodeUp", "0000000000000007"],
    ["onPong", 5, 1.25],
  ]);
});

test("answers are read as Rust writes them", () => {
  const { wake, events } = new Writer()
    .u32(0xffff_ffff)
    .u32(4).u64(1n).u32(1, 2).u64(7n).u32(0).u32(3).u32(2)
    .u32(1).u64(1_700_000_000_000n).u64(1_700_000_030_000n).u32(2).u64(5n).u64(0n).text("cxabb")
    .u32(5).u64(2n ** 32n + 2n).u32(0, 1).u64(7n).u32(1)
    .u64(7n).u32(2).u64(4n).u32(2).u64(7n).u64(8n).u32(0).u32(1).u64(9n).u64(10n).text("eu")
    .u32(2).text("ctx")
    .u32(6).u64(3n).text("TIMEOUT").u32(1, 1, 1).u64(7n).u32(4, 2, 1).u64(9n).u64(10n).u32(250).text("why")
    .read();
  assert.equal(wake, undefined);
  const [entry, written, failed] = events;
  assert.equal(entry?.[1], 1);
  const read = new Entry(entry?.[2] as RawEntry);
  assert.equal(read.deleted, true);
  assert.equal(read.context, Buffer.from("cx").toString("base64url"));
  assert.equal(read.receipt, undefined);
  assert.deepEqual(
    read.siblings.map((one) => [one.text(), Number(one.written), one.expires && Number(one.expires)]),
    [
      ["a", 1_700_000_000_000, 1_700_000_030_000],
      ["bb", 5, undefined],
    ],
  );
  assert.equal(written?.[1], 2 ** 32 + 2);
  const put = new Written(written?.[2] as RawWritten);
  assert.equal(put.siblings, 2);
  assert.equal(put.context, Buffer.from("ctx").toString("base64url"));
  assert.deepEqual(put.receipt, {
    direct: false,
    attempts: 1,
    coordinator: "0000000000000007",
    needed: 2,
    layoutVersion: 4,
    primaries: ["0000000000000007", "0000000000000008"],
    repaired: [],
    fallbacks: [{ node: "0000000000000009", primary: "000000000000000a" }],
    zone: "eu",
  });
  assert.deepEqual(failed?.slice(1), [
    3,
    {
      code: "TIMEOUT",
      retryable: true,
      outcome: "unknown",
      node: "0000000000000007",
      attempts: 4,
      needed: 2,
      acked: 1,
      limit: 9,
      actual: 10,
      retryAfter: 250,
      message: "why",
    },
  ]);
});

test("answers keep their bytes whatever comes after, and little of what came with them", () => {
  const memory = new WebAssembly.Memory({ initial: 4 });
  const values = Array.from({ length: 300 }, (_, index) => `${index}`.padEnd(index === 99 ? 50_000 : 100));
  const writer = new Writer().u32(0xffff_ffff);
  values.forEach((value, index) => {
    writer.u32(4).u64(BigInt(index)).u32(1, 1).u64(BigInt(index)).u32(0, 0, 1);
    writer.u32(value.length).u64(5n).u64(0n).text(`context ${index}${value}`);
    writer.u32(5).u64(BigInt(index)).u32(1, 1).u64(BigInt(index)).u32(0, 1).text(`written ${index}`);
  });
  const bytes = writer.bytes();
  const answers: (RawEntry | RawWritten)[] = [];
  const results = new ResultBatch(memory);
  const take = (call: number, answer: RawEntry | RawWritten) => {
    assert.equal(results.answeredBy(), call.toString(16).padStart(16, "0"));
    answers.push(answer);
  };
  // The batch before it stood in the same place.
  const before = new Writer().u32(0xffff_ffff).u32(5).u64(0n).u32(1, 1).u64(0n).u32(0, 1).text("x".repeat(500)).bytes();
  new Uint8Array(memory.buffer).set(before, 7);
  results.read(7, before.length, { onWritten() {} } as unknown as ResultSink);
  new Uint8Array(memory.buffer).set(bytes, 7);
  results.read(7, bytes.length, { onEntry: take, onWritten: take } as unknown as ResultSink);
  new Uint8Array(memory.buffer).fill(0xee);

  for (const [index, value] of values.entries()) {
    const [raw, written] = answers.slice(2 * index) as [RawEntry, RawWritten];
    const entry = new Entry(raw);
    assert.equal(entry.text(), value);
    assert.equal(entry.value.buffer.byteLength, value.length);
    assert.equal(Buffer.from(entry.context, "base64url").toString(), `context ${index}`);
    const context = new Written(written).context;
    assert.equal(Buffer.from(context, "base64url").toString(), `written ${index}`);
    assert.ok(raw.bytes.byteLength <= (index === 99 ? 51_000 : 8 * 1024));
  }
  assert.ok(new Set(answers.map((answer) => answer.bytes)).size < 20);
});
