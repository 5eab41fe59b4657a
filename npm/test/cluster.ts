// A real cluster for tests: five nodes in one process, on free ports.

import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The node's binary: `QUORATE_BIN`, else what cargo built last with most effort. */
export function quorateBinary(): string {
  return builtBinary("quorate", "QUORATE_BIN", "quorate-node");
}

/** The simulator's binary: `QUORATE_SIMULATE`, else what cargo built last with most effort. */
export function simulatorBinary(): string {
  return builtBinary("quorate-simulate", "QUORATE_SIMULATE", "quorate-simulate");
}

function builtBinary(name: string, variable: string, crate: string): string {
  const built = ["release", "debug"].map((profile) =>
    fileURLToPath(new URL(`../../target/${profile}/${name}`, import.meta.url)),
  );
  const found = [process.env[variable] ?? "", ...built].find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(
      `The binary ${name} is missing: build it with \`cargo build --release -p ${crate}\`, or ` +
        `set ${variable} to its path.`,
    );
  }
  return found;
}

export class Cluster {
  readonly seeds: readonly string[];
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, seeds: readonly string[]) {
    this.#process = process;
    this.seeds = seeds;
  }

  static async start(...options: string[]): Promise<Cluster> {
    const arguments_ = ["dev", "--nodes", "5", "--base-port", "0", "-o", "json", ...options];
    const process = spawn(quorateBinary(), arguments_, { stdio: ["ignore", "pipe", "ignore"] });
    const lines = createInterface({ input: process.stdout });
    const first = await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      process.once("error", reject);
      process.once("exit", (code) => reject(new Error(`the cluster ended with status ${code}`)));
    });
    const { nodes } = JSON.parse(first) as { nodes: { address: string }[] };
    return new Cluster(process, nodes.map(({ address }) => address));
  }

  /** The preference list of a key, as the node's own program computes it. */
  async locate(key: string): Promise<{ position: string; slot: number; nodes: string[] }> {
    const seed = this.seeds[0] ?? "";
    const { stdout } = await promisify(execFile)(quorateBinary(), [
      ...["ring", "--seed", seed, "-o", "json", "--", key],
    ]);
    const place = JSON.parse(stdout) as { position: string; slot: number; nodes: { id: string }[] };
    return { position: place.position, slot: place.slot, nodes: place.nodes.map(({ id }) => id) };
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    await exited;
  }
}

/** The results of `run` for all of `items`, in order, `width` at a time. */
export async function pooled<T, R>(
  items: readonly T[],
  width: number,
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await run(items[index] as T);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
