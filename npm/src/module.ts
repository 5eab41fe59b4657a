// The WebAssembly module: one instance for all clients of a page or process.

import start, { Client as Exports, __wbg_reset_state } from "../wasm/client/quorate_wasm.js";
import type { Bytes } from "./public.js";
import type { WasmSource } from "./slim.public.js";
import { started } from "./unpack.js";

/** The machine of one client. Addresses are those of the module's memory. */
export interface Machine {
  reserve(length: number): number;
  handle(instant: number, unix: number, length: number): number;
  output(): number;
  locate(key: Uint8Array): Bytes;
  ring(): Bytes;
  stats(): Bytes;
  status(): Bytes;
  free(): void;
}

export interface Module {
  memory: WebAssembly.Memory;
  Client: new (options: Uint8Array) => Machine;
}

/** What each living client does when the module has failed. */
const victims = new Set<(cause: unknown) => void>();

let loading: Promise<Module> | undefined;

/** Starts the module at the first call: from then on its source is asked for no more. */
export function load(source: () => WasmSource): Promise<Module> {
  loading ??= instantiate(source).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** Registers a client; the function that comes back removes it. */
export function watch(onFailure: (cause: unknown) => void): () => void {
  victims.add(onFailure);
  return () => victims.delete(onFailure);
}

/** After a panic nothing in memory can be trusted: all clients end, the next one starts anew. */
export function fail(cause: unknown): void {
  const clients = [...victims];
  victims.clear();
  __wbg_reset_state();
  // The next client finds the new memory.
  loading = undefined;
  for (const onFailure of clients) onFailure(cause);
}

async function instantiate(source: () => WasmSource): Promise<Module> {
  const { memory } = await started(() => start({ module_or_path: source() }));
  return { memory, Client: Exports as unknown as Module["Client"] };
}
