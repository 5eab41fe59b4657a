// Contexts are base64url for users and bytes for the module.

import assert from "node:assert/strict";
import { test } from "node:test";

import { base64Url, contextInto, toBase64Url } from "../src/bytes.js";

const BYTES = Uint8Array.from({ length: 300 }, (_, index) => (index * 167 + (index >> 3)) % 256);

test("contexts of all lengths are base64url, with and without what Node.js has of its own", () => {
  for (let length = 0; length <= 66; length += 1) {
    const start = length * 3;
    const expected = Buffer.from(BYTES.subarray(start, start + length)).toString("base64url");
    assert.equal(toBase64Url(BYTES, start, start + length), expected);
    assert.equal(base64Url(BYTES, start, start + length), expected);
  }
});

test("a context is written as the bytes that it was made of, and not a byte more", () => {
  for (let length = 0; length <= 66; length += 1) {
    const bytes = BYTES.subarray(length, 2 * length);
    const target = new Uint8Array(100).fill(0xee);
    assert.equal(contextInto(toBase64Url(bytes), target, 5), length);
    assert.deepEqual(target.subarray(5, 5 + length), bytes);
    assert.ok(target.subarray(5 + length).every((byte) => byte === 0xee));
  }
});

test("what is no base64url is no context", () => {
  const target = new Uint8Array(100);
  for (const damaged of ["A", "AAAAA", "AA=", "AA==", "AB+/", "AB C", "ABÄD", "AB\u0141D", "🔑AA"]) {
    assert.throws(() => contextInto(damaged, target, 0), { code: "BAD_CONTEXT" }, damaged);
  }
});
