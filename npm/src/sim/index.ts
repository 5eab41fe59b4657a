// `quorate/sim`: a whole cluster in one thread, in virtual time.

import start, { Simulation as World, replay as run } from "../../wasm/sim/quorate_wasm.js";
import { started, unpack } from "../unpack.js";
import type * as Public from "./public.js";

/** The module as gzip in base64: the build puts it here. */
declare const QUORATE_SIM_WASM: string;

/** The boundary takes seeds of 32 bits, and would cut longer ones off. */
const SEED_MAX = 0xffff_ffff;

type Result<T> = T | Public.SimulatedFailure;

let loading: Promise<unknown> | undefined;

export async function simulate(
  options: Public.SimulationOptions = {},
): Promise<Public.Simulation> {
  await load();
  return new Simulation(new World(options));
}

export async function replay(
  seed: number,
  { operations = 500 }: { operations?: number | undefined } = {},
): Promise<Public.Replay> {
  if (!Number.isInteger(seed) || seed < 0 || seed > SEED_MAX) {
    throw new RangeError(`The seed must be an integer from 0 to 4,294,967,295, not ${seed}.`);
  }
  await load();
  return run(seed, operations) as Public.Replay;
}

/** Loads the module once; a failure is forgotten, so that the next call tries again. */
async function load(): Promise<void> {
  loading ??= started(() => start({ module_or_path: unpack(QUORATE_SIM_WASM) }));
  try {
    await loading;
  } catch (error) {
    loading = undefined;
    throw error;
  }
}

class Simulation implements Public.Simulation {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  client(): Public.SimulatedClient {
    return new Client(this.#world, this.#world.addClient());
  }

  crash(node: number): void {
    this.#world.crash(node);
  }

  restart(node: number): void {
    this.#world.restart(node);
  }

  wipe(node: number): void {
    this.#world.wipe(node);
  }

  partition(side: readonly number[]): void {
    this.#world.partition(Uint32Array.from(side));
  }

  heal(): void {
    this.#world.heal();
  }

  runFor(milliseconds: number): void {
    this.#world.runFor(milliseconds);
  }

  locate(key: string): Public.SimulatedLocation {
    return this.#world.locate(key) as Public.SimulatedLocation;
  }

  view(): Public.SimulationView {
    return this.#world.view() as Public.SimulationView;
  }

  [Symbol.dispose](): void {
    this.#world.free();
  }
}

class Client implements Public.SimulatedClient {
  readonly #world: World;
  readonly #number: number;

  constructor(world: World, number: number) {
    this.#world = world;
    this.#number = number;
  }

  get(key: string): Result<Public.SimulatedEntry> {
    return withBytes(this.#world.get(this.#number, key));
  }

  put(key: string, value: string, options: { context?: Uint8Array | undefined } = {}) {
    const context = options.context ?? new Uint8Array();
    return withBytes<Public.SimulatedWrite>(this.#world.put(this.#number, key, value, context));
  }

  delete(key: string, options: { context?: Uint8Array | undefined } = {}) {
    const context = options.context ?? new Uint8Array();
    return withBytes<Public.SimulatedWrite>(this.#world.delete(this.#number, key, context));
  }
}

/** The boundary hands contexts out as lists of numbers. */
function withBytes<T>(outcome: { context?: number[] }): Result<T> {
  const { context } = outcome;
  const result = context === undefined ? outcome : { ...outcome, context: Uint8Array.from(context) };
  return result as Result<T>;
}

// Prove that this module keeps to its public face.
simulate satisfies typeof Public.simulate;
replay satisfies typeof Public.replay;
