// A real cluster whose nodes are processes of their own, on disks: they can be killed one by one, and
// come back on the same ports.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { quorateBinary } from "./cluster.js";

const READY_ATTEMPTS = 300;
const READY_PAUSE_MS = 100;

interface Node {
  data: string;
  /** The WebSocket URL; known after the first start. */
  address: string;
  process: ChildProcess | undefined;
}

export class Nodes {
  readonly #folder: string;
  readonly #nodes: Node[];
  readonly #count: number;

  private constructor(folder: string, count: number) {
    this.#folder = folder;
    this.#count = count;
    this.#nodes = Array.from({ length: count }, (_, index) => {
      return { data: join(folder, `${index}`), address: "", process: undefined };
    });
  }

  /** The first node founds the cluster, the others find it. */
  static async start(count: number): Promise<Nodes> {
    const nodes = new Nodes(await mkdtemp(join(tmpdir(), "quorate-nodes-")), count);
    for (let index = 0; index < count; index += 1) await nodes.run(index);
    return nodes;
  }

  get addresses(): string[] {
    return this.#nodes.map(({ address }) => address);
  }

  /** Starts a node for the first time, or again. */
  async run(index: number): Promise<void> {
    const node = this.#node(index);
    const listen = node.address.replace("ws://", "") || "127.0.0.1:0";
    const role = index === 0 ? ["--found", `${this.#count}`] : ["--seed", this.#node(0).address];
    const serve = ["serve", "--data", node.data, "--listen", listen, "-o", "json", ...role];
    const child = spawn(quorateBinary(), serve, { stdio: ["ignore", "pipe", "ignore"] });
    node.process = child;
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`node ${index} ended with status ${code}`)));
    });
    node.address = (JSON.parse(line) as { address: string }).address;
  }

  /** Waits until a node that was started takes part again. */
  async ready(index: number): Promise<void> {
    const url = this.#node(index).address.replace("ws:", "http:");
    for (let attempt = 0; attempt < READY_ATTEMPTS; attempt += 1) {
      const { ok } = await fetch(`${url}/readyz`);
      if (ok) return;
      await sleep(READY_PAUSE_MS);
    }
    throw new Error(`node ${index} does not become ready`);
  }

  /** As by `kill -9`: the process ends in the middle of whatever it does. */
  async kill(index: number): Promise<void> {
    const node = this.#node(index);
    const { process } = node;
    if (process === undefined) return;
    node.process = undefined;
    const exited = new Promise((resolve) => process.once("exit", resolve));
    process.kill("SIGKILL");
    await exited;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((_, index) => this.kill(index)));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #node(index: number): Node {
    const node = this.#nodes[index];
    if (node === undefined) throw new RangeError(`there is no node ${index}`);
    return node;
  }
}
