// `quorate/sim`: a whole cluster in one thread, in virtual time.

import start, {
  Recording as Recorded,
  Run as Play,
  Simulation as World,
  replay as run,
} from "../../wasm/sim/quorate_wasm.js";
import { started, unpack } from "../unpack.js";
import type * as Public from "./public.js";

/** The module as gzip in base64: the build puts it here. */
declare const QUORATE_SIM_WASM: string;

/** The boundary takes seeds of 32 bits, and would cut longer ones off. */
const SEED_MAX = 0xffff_ffff;

/** Operations of a random run, unless somebody wants another number of them. */
const OPERATIONS = 500;

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
  { operations = OPERATIONS }: { operations?: number | undefined } = {},
): Promise<Public.Replay> {
  checkSeed(seed);
  await load();
  return run(seed, operations) as Public.Replay;
}

export async function play(script: Public.Script): Promise<Public.Run> {
  await load();
  return new Run(new Play(script));
}

export async function playSeed(
  seed: number,
  { operations = OPERATIONS }: { operations?: number | undefined } = {},
): Promise<Public.Recording> {
  checkSeed(seed);
  await load();
  return new Recording(new Recorded(seed, operations));
}

function checkSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < 0 || seed > SEED_MAX) {
    throw new RangeError(`The seed must be an integer from 0 to 4,294,967,295, not ${seed}.`);
  }
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

class Run implements Public.Run {
  readonly #run: Play;

  constructor(run: Play) {
    this.#run = run;
  }

  get now(): number {
    return this.#run.now;
  }

  act(action: Public.Action): number | undefined {
    return this.#run.act(action);
  }

  advance(milliseconds: number): Public.Happening[] {
    this.#run.advance(milliseconds);
    return this.#run.happenings() as Public.Happening[];
  }

  view(): Public.RunView {
    return this.#run.view() as Public.RunView;
  }

  locate(key: string): Public.RunLocation {
    return this.#run.locate(key) as Public.RunLocation;
  }

  plan(members: readonly Public.PlannedMember[]): Public.PlanView | { readonly refused: string } {
    return this.#run.plan(members) as Public.PlanView | { readonly refused: string };
  }

  script(): Public.Script {
    return this.#run.script() as Public.Script;
  }

  trace(): string {
    return this.#run.trace();
  }

  [Symbol.dispose](): void {
    this.#run.free();
  }
}

class Recording implements Public.Recording {
  readonly replay: Public.Replay;
  readonly #recording: Recorded;

  constructor(recording: Recorded) {
    this.#recording = recording;
    this.replay = recording.replay() as Public.Replay;
  }

  get now(): number {
    return this.#recording.now;
  }

  get since(): number {
    return this.#recording.since;
  }

  get end(): number {
    return this.#recording.end;
  }

  act(_action: Public.Action): never {
    throw new Error("The run of a seed is over: nothing can be done in it.");
  }

  advance(milliseconds: number): Public.Happening[] {
    return this.#recording.advanceTo(this.now + milliseconds) as Public.Happening[];
  }

  seek(at: number): void {
    this.#recording.seek(at);
  }

  view(): Public.RunView {
    return this.#recording.view() as Public.RunView;
  }

  trace(): string {
    return this.replay.trace;
  }

  [Symbol.dispose](): void {
    this.#recording.free();
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
play satisfies typeof Public.play;
playSeed satisfies typeof Public.playSeed;
