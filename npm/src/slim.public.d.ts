// The public face of `quorate/slim`. The build copies it to `dist/slim.d.ts` and `dist/slim.d.cts`.

import type { Client, ConnectOptions } from "./public.js";

export * from "./public.js";

/**
 * The module `quorate/client.wasm`: where it is, its bytes, a response with it, or what the runtime
 * has compiled already.
 */
export type WasmSource =
  | string
  | URL
  | Request
  | Response
  | ArrayBuffer
  | ArrayBufferView<ArrayBuffer>
  | WebAssembly.Module
  | PromiseLike<string | URL | Request | Response | ArrayBuffer | ArrayBufferView<ArrayBuffer> | WebAssembly.Module>;

/** What {@link connect} takes. */
export interface SlimOptions extends ConnectOptions {
  /** The module. Only the first call loads it. */
  wasm: WasmSource;
}

/** Connects to a cluster: resolves when the first node has answered. */
export function connect(options: SlimOptions): Promise<Client>;
