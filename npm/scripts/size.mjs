// Prints what the package costs a page, and fails where it costs too much.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const TARGET_BYTES = 60 * 1024;
const BYTES_MAX = 100 * 1024;

const dist = new URL("../dist/", import.meta.url);
const wasm = readFileSync(new URL("client.wasm", dist));
const script = readFileSync(new URL("index.js", dist));
// What the script weighs without the module inside it.
const code = script.toString().replace(/"H4sI[A-Za-z0-9+/=]+"/, '""');

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;
const rows = [
  ["client.wasm", wasm.length, gzipped(wasm)],
  ["JavaScript without it", Buffer.byteLength(code), gzipped(code)],
  ["index.js, both in one", script.length, gzipped(script)],
];
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`.padStart(11);
console.log(`${"".padEnd(22)}${"raw".padStart(11)}${"gzipped".padStart(11)}`);
for (const [name, raw, small] of rows) console.log(`${name.padEnd(22)}${kib(raw)}${kib(small)}`);

const total = rows[0][2] + rows[1][2];
console.log(`wasm + JavaScript, gzipped: ${kib(total).trim()} (target 60, limit 100)`);
if (total > BYTES_MAX) {
  console.error("The limit is exceeded.");
  process.exit(1);
}
if (total > TARGET_BYTES) console.warn("The target is missed.");
