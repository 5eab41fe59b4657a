// A WebAssembly module that travels inside the script, as gzip in base64.

import { QuorateError } from "./errors.js";

/** Unpacks a module and starts it. */
export async function unpack<T>(
  packed: string,
  start: (bytes: ArrayBuffer) => Promise<T>,
): Promise<T> {
  const gzip = Uint8Array.from(atob(packed), (unit) => unit.charCodeAt(0));
  const stream = new Blob([gzip]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  try {
    return await start(bytes);
  } catch (cause) {
    throw new QuorateError(
      "WebAssembly could not be started. If the page has a Content-Security-Policy, its " +
        "script-src needs 'wasm-unsafe-eval'.",
      { code: "WASM_BLOCKED", cause },
    );
  }
}
