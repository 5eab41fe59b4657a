// The vectors that the Rust tests read, too, against second implementations.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { frameJson } from "./fake-node.js";
import { initSync, planFirst, planNext } from "../wasm/vectors/quorate_wasm.js";
import { walk } from "./walk.js";
import { xxh64 } from "./xxh64.js";

function vectors<T>(name: string): T {
  const file = new URL(`../../tests/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as T;
}

const bytes = (hex: string) => Buffer.from(hex, "hex");

function positionOf(key: Uint8Array): string {
  return createHash("md5").update(key).digest("hex");
}

/** The slot is in the upper bits of the position: all slots are equal and a power of two. */
function slotOf(position: string, slots: number): number {
  return Number((BigInt(`0x${position}`) * BigInt(slots)) >> 128n);
}

test("positions and slots agree with MD5", () => {
  type Position = { key_hex: string; position_hex: string; slot_64: number; slot_1024: number };
  const positions = vectors<Position[]>("positions");
  assert.ok(positions.length >= 20);
  for (const { key_hex, position_hex, slot_64, slot_1024 } of positions) {
    assert.equal(positionOf(bytes(key_hex)), position_hex);
    assert.equal(slotOf(position_hex, 64), slot_64, key_hex);
    assert.equal(slotOf(position_hex, 1024), slot_1024, key_hex);
  }
});

test("preference lists agree with a naive walk", () => {
  type Case = {
    name: string;
    members: { id: string; zone: string }[];
    owners: number[];
    keys: { key_hex: string; slot: number; list: string[] }[];
  };
  const cases = vectors<Case[]>("preference_lists");
  assert.ok(cases.length >= 5);
  for (const { name, members, owners, keys } of cases) {
    for (const { key_hex, slot, list } of keys) {
      assert.equal(slotOf(positionOf(bytes(key_hex)), owners.length), slot, `${name}: ${key_hex}`);
      assert.deepEqual(walk(members, owners, slot), list, `${name}: ${key_hex}`);
    }
  }
});

type Planned = { version: number; owners: number[]; hash_hex: string };

function startPlanner() {
  const url = new URL("../wasm/vectors/quorate_wasm_bg.wasm", import.meta.url);
  initSync({ module: readFileSync(url) });
}

test("layouts are planned to the same bytes in WebAssembly", () => {
  const layouts = vectors<Planned[]>("layout_changes");
  assert.ok(layouts.length >= 8);
  startPlanner();
  let previous: Planned | undefined;
  for (const layout of layouts) {
    const planned: Planned =
      previous === undefined
        ? planFirst(layout.owners.length, layout)
        : planNext(previous, layout);
    const { version, owners, hash_hex } = layout;
    assert.deepEqual(planned, { version, owners, hash_hex });
    previous = layout;
  }
});

test("large layouts have the same hashes in WebAssembly", () => {
  type Large = {
    slots: number;
    replication: number;
    nodes_per_zone: number;
    members: [number, number][];
    hashes_hex: string[];
  };
  const golden = vectors<Large[]>("large_layouts");
  assert.ok(golden.length >= 1);
  startPlanner();
  for (const { slots, replication, nodes_per_zone, members, hashes_hex } of golden) {
    let previous: (Planned & { replication: number; members: object[] }) | undefined;
    const hashes = members.map(([first, end]) => {
      const numbers = Array.from({ length: end - first }, (_, index) => first + index);
      const layout = {
        version: 1,
        replication,
        members: numbers.map((number) => numbered(number, nodes_per_zone)).sort(byId),
        owners: [],
      };
      const planned: Planned =
        previous === undefined ? planFirst(slots, layout) : planNext(previous, layout);
      previous = { ...layout, ...planned };
      return planned.hash_hex;
    });
    assert.deepEqual(hashes, hashes_hex);
  }
});

function numbered(number: number, nodesPerZone: number) {
  const id = BigInt.asUintN(64, BigInt(number + 1) * 0x9e3779b97f4a7c15n);
  return {
    id: id.toString(16).padStart(16, "0"),
    label: `${number}`,
    zone: `${Math.floor(number / nodesPerZone)}`,
    weight: 1,
  };
}

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);

test("protobufjs reads the golden frames as they are meant", () => {
  type Golden = { name: string; frame_hex: string; json: object };
  for (const file of ["frames", "frames-former"]) {
    const frames = vectors<Golden[]>(file);
    assert.ok(frames.length >= 60);
    for (const { name, frame_hex, json } of frames) {
      assert.deepEqual(frameJson(bytes(frame_hex)), json, `${file}: ${name}`);
    }
  }
});

type Causality = {
  tokens: { key_hex: string; actors: TokenActor[]; token_hex: string }[];
  refused_tokens: { key_hex: string; token_hex: string; error: string }[];
  checksums: { value_hex: string; checksum_hex: string }[];
};
type TokenActor = { node: string; incarnation: number; birth: number; upto: number; also: number[] };

test("checksums are XXH64", () => {
  const { checksums } = vectors<Causality>("causality");
  assert.ok(checksums.length >= 4);
  for (const { value_hex, checksum_hex } of checksums) {
    assert.equal(xxh64(bytes(value_hex)).toString(16).padStart(16, "0"), checksum_hex);
  }
});

test("context tokens say what they should, and are bound to their key", () => {
  const { tokens, refused_tokens } = vectors<Causality>("causality");
  for (const { key_hex, actors, token_hex } of tokens) {
    const token = bytes(token_hex);
    if (token.length > 0) assert.equal(tokenChecksum(key_hex, token), true, token_hex);
    assert.deepEqual(token.length > 0 ? readToken(token) : [], actors, token_hex);
  }
  for (const { key_hex, token_hex } of refused_tokens.filter(({ error }) => error === "checksum")) {
    assert.equal(tokenChecksum(key_hex, bytes(token_hex)), false, token_hex);
  }
});

function tokenChecksum(keyHex: string, token: Buffer): boolean {
  const body = token.subarray(0, -8);
  return xxh64(body, xxh64(bytes(keyHex))) === token.readBigUInt64BE(token.length - 8);
}

function readToken(token: Buffer): TokenActor[] {
  let at = 1;
  const number = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = token.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  const actors = Array.from({ length: number() }, () => {
    const node = token.toString("hex", at, at + 8);
    const incarnation = token.readUInt32BE(at + 8);
    at += 12;
    const [birth, upto] = [number(), number()];
    let least = upto + 2;
    const also = Array.from({ length: number() }, () => {
      const counter = least + number();
      least = counter + 1;
      return counter;
    });
    return { node, incarnation, birth, upto, also };
  });
  assert.equal(at, token.length - 8);
  return actors;
}
