// From options to a client that a first node has welcomed.

import { mapped } from "./addresses.js";
import { Client } from "./client.js";
import { Engine } from "./engine.js";
import { QuorateError } from "./errors.js";
import { log } from "./log.js";
import { load } from "./module.js";
import { machineOptions } from "./options.js";
import type * as face from "./public.js";
import { redial } from "./reconnect.js";
import type { WasmSource } from "./slim.public.js";
import { RingView } from "./ring.js";
import { Observers } from "./status.js";
import { tracing } from "./telemetry.js";
import { chooseWebSocket } from "./websocket.js";

/** `source` tells where the module comes from, if nobody has loaded it yet. */
export async function connectWith(
  source: () => WasmSource,
  options: face.ConnectOptions,
): Promise<face.Client> {
  const machine = machineOptions(options);
  const { signal } = options;
  signal?.throwIfAborted();
  const observers = new Observers();
  log(observers, options.logger);
  const [opened, module] = await Promise.all([chooseWebSocket(options.WebSocket), load(source)]);
  signal?.throwIfAborted();

  const open = mapped(options.addressMap, opened);
  const ring = new RingView();
  const addressOf = (node: string) => {
    return ring.ring(engine.machine).nodes.find(({ id }) => id === node)?.address;
  };
  const trace = tracing(options.telemetry, options.cluster, addressOf);
  const waiting = new Waiting(machine.seeds, machine.timeout, signal, options.reconnect === false);
  const events = {
    onConnected: () => waiting.onConnected(),
    onLost: (address: string, reason: string | undefined) => waiting.onLost(address, reason),
    onRejected: (address: string, code: string, detail: string) =>
      waiting.onRejected(address, code, detail),
    onLayout: () => ring.forget(),
    onFailure: (error: QuorateError) => waiting.onFailure(error),
  };
  const engine: Engine = new Engine(module, machine, open, observers, events, trace);
  redial(observers, options.reconnect, (address, wait) => engine.redial(address, wait));
  try {
    await waiting.welcomed;
  } catch (error) {
    await engine.close(new QuorateError("The client never connected.", { code: "CLOSED" }));
    throw error;
  }
  return new Client({ engine, ring, timeout: machine.timeout }, observers);
}

/** Waits for the first welcome and remembers what went wrong meanwhile. */
class Waiting {
  readonly welcomed: Promise<void>;
  readonly #seeds: readonly string[];
  readonly #once: boolean;
  /** The last thing that was heard from each address. */
  readonly #heard = new Map<string, string>();
  readonly #rejected = new Set<string>();
  #resolve!: () => void;
  #reject!: (reason: unknown) => void;

  /** `once`: each seed is dialled once only. */
  constructor(
    seeds: readonly string[],
    timeoutMs: number,
    signal: AbortSignal | undefined,
    once: boolean,
  ) {
    this.#seeds = seeds;
    this.#once = once;
    const late = `no node answered within ${timeoutMs} ms`;
    const timer = setTimeout(() => this.#reject(this.#unreachable(late)), timeoutMs);
    const onAbort = () => this.#reject(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    this.welcomed = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    }).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    });
  }

  onConnected(): void {
    this.#resolve();
  }

  onLost(address: string, reason: string | undefined): void {
    // What a node said outweighs the end of its connection.
    if (!this.#rejected.has(address)) this.#heard.set(address, reason ?? "no connection");
    if (this.#once && this.#seeds.every((seed) => this.#heard.has(seed))) {
      this.#reject(this.#unreachable("no node answered"));
    }
  }

  onRejected(address: string, code: string, detail: string): void {
    this.#rejected.add(address);
    this.#heard.set(address, detail || code);
    // A node that is full may have room in a moment; nothing else mends itself.
    if (code === "FULL") return;
    if (this.#seeds.every((seed) => this.#rejected.has(seed))) {
      this.#reject(
        new QuorateError(`connect: no node accepts this client: ${this.#reasons()}`, {
          code: "REJECTED",
        }),
      );
    }
  }

  onFailure(error: QuorateError): void {
    this.#reject(error);
  }

  #unreachable(what: string): QuorateError {
    return new QuorateError(
      `connect: ${what}: ${this.#reasons()}. Check that a node listens there, or raise \`timeout\`.`,
      { code: this.#rejected.size > 0 ? "REJECTED" : "UNREACHABLE", retryable: true },
    );
  }

  #reasons(): string {
    return this.#seeds
      .map((seed) => `${seed} (${this.#heard.get(seed) ?? "no answer"})`)
      .join(", ");
  }
}
