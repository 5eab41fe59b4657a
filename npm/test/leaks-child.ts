// The process whose memory `leaks.test.ts` looks at: `WORK COUNT SAMPLES SEED`.

import { connect } from "quorate";
import type { Client } from "quorate";

import { pooled } from "./cluster.js";

/** What is held at one moment, after a collection of garbage. */
export interface Sample {
  heap: number;
  /** Of the WebAssembly module; it never shrinks. */
  wasm: number;
  /** What keeps the process alive: sockets, timers. */
  handles: string[];
}

const WIDTH = 256;
const KEYS = 1_000;

const [work, count, samples, seed] = process.argv.slice(2) as [string, string, string, string];
const seeds = [seed];
const share = Number(count) / Number(samples);

// Where the memory is nobody tells: those of modules that come as bytes, as ours does, are remembered.
const memories = new Set<WebAssembly.Memory>();
const { instantiate } = WebAssembly;
WebAssembly.instantiate = (async (source: BufferSource, imports?: WebAssembly.Imports) => {
  const result = await instantiate(source, imports);
  const exports = Object.values(result.instance?.exports ?? {});
  for (const value of exports) if (value instanceof WebAssembly.Memory) memories.add(value);
  return result;
}) as typeof WebAssembly.instantiate;

async function sample(): Promise<void> {
  // Sockets say goodbye in turns of their own.
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  const wasm = [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  // Standard output is a pipe, and this line goes through it.
  const handles = process.getActiveResourcesInfo().filter((name) => name !== "PipeWrap");
  const line: Sample = { heap: process.memoryUsage().heapUsed, wasm, handles: handles.sort() };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function connectAndClose(): Promise<void> {
  for (let done = 0; done < share; done += 1) {
    await using client = await connect({ seeds });
    await client.get(`key ${done % KEYS}`);
  }
}

async function operate(client: Client): Promise<void> {
  const numbers = Array.from({ length: share }, (_, index) => index);
  await pooled(numbers, WIDTH, async (number) => {
    const key = `key ${number % KEYS}`;
    if (number % 2 === 0) return void (await client.get(key));
    // With a context, or the siblings would pile up.
    await client.update(key, () => `value ${number}`);
  });
}

if (work === "connect") {
  for (let done = 0; done < Number(samples); done += 1) {
    await connectAndClose();
    await sample();
  }
} else {
  await using client = await connect({ seeds });
  for (let done = 0; done < Number(samples); done += 1) {
    await operate(client);
    await sample();
  }
}
