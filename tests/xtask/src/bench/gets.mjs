// Gets through the packed package, for `quorate bench --pause ... -- node gets.mjs`, which says
// what is expected of this program.

import { connect } from "quorate";

const [inFlight, valueBytes] = process.argv.slice(2).map(Number);

/** Keys of one measurement. */
const KEYS = 4_096;

const client = await connect({ seeds: process.env.QUORATE_SEEDS.split(",") });
const begin = `bench/${crypto.randomUUID()}/`;
const keys = Array.from({ length: KEYS }, (_, index) => begin + index);
const value = "x".repeat(valueBytes);

let next = 0;
await each(async () => {
  while (next < keys.length) await client.put(keys[next++], value);
});

let ended = false;
process.stdin.on("end", () => (ended = true)).resume();
process.stdout.write("ready\n");

/** Three numbers for each get. */
const samples = [];
await each(async () => {
  while (!ended) {
    const key = keys[Math.floor(Math.random() * keys.length)];
    const began = performance.now();
    const failed = await client.get(key).then(
      () => 0,
      () => 1,
    );
    samples.push(began, performance.now() - began, failed);
  }
});
await client.close();

const micros = (milliseconds) => Math.round(milliseconds * 1_000);
const lines = [];
for (let index = 0; index < samples.length; index += 3) {
  const [began, took, failed] = samples.slice(index, index + 3);
  lines.push(`${micros(performance.timeOrigin + began)} ${micros(took)} ${failed}\n`);
}
process.stdout.write(lines.join(""));

function each(worker) {
  return Promise.all(Array.from({ length: inFlight }, worker));
}
