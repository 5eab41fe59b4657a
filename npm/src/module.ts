// The WebAssembly module: one instance for all clients of a page or process.

import start, { Client as Exports, __wbg_reset_state } from "../wasm/client/quorate_wasm.js";
import type { Bytes } from "./public.js";
import { unpack } from "./unpack.js";

/** The module as gzip in base64: the build puts it here. */
declare const QUORATE_WASM: string;

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

/** Unpacks and starts the module at the first call. */
export function load(): Promise<Module> {
  loading ??= instantiate().catch((error: unknown) => {
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

async function instantiate(): Promise<Module> {
  const { memory } = await unpack(QUORATE_WASM, (bytes) => start({ module_or_path: bytes }));
  return { memory, Client: Exports as unknown as Module["Client"] };
}
