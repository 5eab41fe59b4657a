// A WebAssembly module that travels inside the script, as gzip in base64.

import { QuorateError } from "./errors.js";

/** The bytes of a module. */
export async function unpack(packed: string): Promise<ArrayBuffer> {
  const gzip = Uint8Array.from(atob(packed), (unit) => unit.charCodeAt(0));
  const stream = new Blob([gzip]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Starts a module, and says what is to be done where the runtime does not let it. */
export async function started<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (cause) {
    const told = cause instanceof Error ? cause.message : String(cause);
    throw new QuorateError(
      `WebAssembly could not be started: ${told}. If the page has a Content-Security-Policy, its ` +
        "script-src needs 'wasm-unsafe-eval'.",
      { code: "WASM_BLOCKED", cause },
    );
  }
}
