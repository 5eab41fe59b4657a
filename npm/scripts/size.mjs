// What the package costs a page, beside other packages. Fails where it costs more than the limit, or
// noticeably more than `size-budget.json` says. `--accept` writes what it costs into that file and into
// the README.

import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const TARGET_BYTES = 60 * 1024;
const BYTES_MAX = 100 * 1024;
/** Growth that no budget need name. */
const TOLERANCE = 1.02;

/** What others cost, gzipped, as measured for the design: KiB of script and module together. */
const OTHERS = [
  ["nats-core, JavaScript only", 43],
  ["web-tree-sitter", 83],
  ["ywasm", 275],
  ["sqlite-wasm", 407],
  ["automerge", 1167],
  ["loro", 1229],
];

const file = (path) => new URL(`../${path}`, import.meta.url);
const wasm = readFileSync(file("dist/client.wasm"));
const script = readFileSync(file("dist/index.js"));
// What the script weighs without the module inside it.
const code = script.toString().replace(/"H4sI[A-Za-z0-9+/=]+"/, '""');

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;
const rows = [
  ["client.wasm", wasm.length, gzipped(wasm)],
  ["JavaScript without it", Buffer.byteLength(code), gzipped(code)],
  ["index.js, both in one", script.length, gzipped(script)],
];
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`.padStart(11);
console.log(`${"".padEnd(28)}${"raw".padStart(11)}${"gzipped".padStart(11)}`);
for (const [name, raw, small] of rows) console.log(`${name.padEnd(28)}${kib(raw)}${kib(small)}`);

const measured = { wasm: rows[0][2], javascript: rows[1][2] };
const total = measured.wasm + measured.javascript;
console.log(`${"wasm + JavaScript".padEnd(39)}${kib(total)}`);
for (const [name, size] of OTHERS) console.log(`${name.padEnd(39)}${kib(size * 1024)}`);

if (process.argv.includes("--accept")) {
  writeFileSync(file("size-budget.json"), `${JSON.stringify(measured, null, 2)}\n`);
}
const budget = JSON.parse(readFileSync(file("size-budget.json"), "utf8"));
const failures = [];
for (const [part, allowed] of Object.entries(budget)) {
  if (measured[part] > allowed * TOLERANCE) {
    failures.push(`${part}: ${measured[part]} bytes gzipped, and the budget is ${allowed}.`);
  }
}
if (failures.length > 0) failures.push("If that is worth it: npm run size -- --accept");
if (total > BYTES_MAX) failures.push(`${total} bytes gzipped are more than the limit of ${BYTES_MAX}.`);

// The README tells what the budget allows.
const line = ([name, size]) => `| ${name} | ${Math.round(size)} |`;
const ours = [
  ["**quorate**", (budget.wasm + budget.javascript) / 1024],
  ["**quorate/slim**, beside `client.wasm`", budget.javascript / 1024],
];
const table = ["| package | KiB |", "|---|---|", ...[...ours, ...OTHERS].map(line), ""].join("\n");
const readme = readFileSync(file("README.md"), "utf8");
const place = /(?<=<!-- sizes -->\n)[^]*?(?=<!-- \/sizes -->)/;
if (process.argv.includes("--accept")) writeFileSync(file("README.md"), readme.replace(place, () => table));
else if (place.exec(readme)?.[0] !== table) failures.push("The README's table of sizes is not that of the budget.");

if (total > TARGET_BYTES) console.warn(`The target of ${TARGET_BYTES >> 10} KiB is missed.`);
for (const failure of failures) console.error(failure);
if (failures.length > 0) process.exitCode = 1;
