import assert from "node:assert/strict";
import { test } from "node:test";

import {
  HALF,
  MARKS_OUTER,
  SLOTS_INNER,
  SLOTS_OUTER,
  across,
  along,
  leftOf,
  nodePoint,
  nodeRadius,
  onCircle,
  slotAt,
  slotPath,
  turnOf,
  turnOfPosition,
} from "../src/ring/geometry.js";

const MIDDLE = (SLOTS_INNER + SLOTS_OUTER) / 2;

test("positions run clockwise from the top", () => {
  assert.equal(turnOfPosition("0".repeat(32)), 0);
  assert.equal(turnOfPosition(`4${"0".repeat(31)}`), 0.25);
  assert.equal(turnOfPosition(`8${"0".repeat(31)}`), 0.5);
  assert.ok(turnOfPosition("f".repeat(32)) < 1);
  const right = onCircle(100, 0.25);
  assert.ok(Math.abs(right.x - 100) < 1e-9 && Math.abs(right.y) < 1e-9);
  assert.ok(onCircle(100, 0).y < 0);
});

test("a point on the band is in the slot whose arc is drawn there", () => {
  for (const slots of [1, 2, 64, 1024]) {
    for (let slot = 0; slot < slots; slot += Math.max(1, slots / 16)) {
      const point = onCircle(MIDDLE, (slot + 0.5) / slots);
      assert.equal(slotAt(point, slots), slot);
      assert.ok(Math.abs(turnOf(point) - (slot + 0.5) / slots) < 1e-9);
    }
  }
  assert.equal(slotAt({ x: 0, y: 0 }, 64), undefined);
  assert.equal(slotAt(onCircle(HALF, 0.1), 64), undefined);
});

test("the position of a key lies in its slot", () => {
  const position = `${"2468ace0".repeat(4)}`;
  const slot = Number((BigInt(`0x${position}`) * 64n) >> 128n);
  assert.equal(slotAt(onCircle(MIDDLE, turnOfPosition(position)), 64), slot);
});

test("an arc of half the ring and more takes the long way", () => {
  assert.match(slotPath(0, 1, 10, 20), /A20 20 0 1 1/);
  assert.match(slotPath(0, 64, 10, 20), /A20 20 0 0 1/);
});

test("a line divides the nodes into those on its two sides", () => {
  const nodes = Array.from({ length: 6 }, (_, node) => nodePoint(node, 6));
  const left = leftOf({ x: 10, y: 300 }, { x: 10, y: -300 }, nodes);
  assert.deepEqual(left, [0, 3, 4, 5]);
  assert.deepEqual(leftOf({ x: 10, y: -300 }, { x: 10, y: 300 }, nodes), [1, 2]);
});

test("a short line is drawn across the whole ring", () => {
  const [from, to] = across({ x: -10, y: 50 }, { x: 10, y: 50 });
  for (const { x, y } of [from, to]) {
    assert.ok(Math.abs(Math.hypot(x, y) - MARKS_OUTER) < 1e-9);
    assert.ok(Math.abs(y - 50) < 1e-9);
  }
  assert.ok(from.x < 0 && to.x > 0);
});

test("a message begins and ends at its places, and two that meet keep apart", () => {
  const [a, b] = [nodePoint(0, 5), nodePoint(2, 5)];
  assert.deepEqual(along(a, b, 0), a);
  assert.deepEqual(along(a, b, 1), b);
  const [there, back] = [along(a, b, 0.5), along(b, a, 0.5)];
  assert.ok(Math.hypot(there.x - back.x, there.y - back.y) > 20);
});

test("fifty nodes stand side by side and none covers another", () => {
  for (const count of [2, 5, 12, 50, 64]) {
    const [one, next] = [nodePoint(0, count), nodePoint(1, count)];
    assert.ok(Math.hypot(one.x - next.x, one.y - next.y) > 2 * nodeRadius(count), `${count}`);
  }
});
