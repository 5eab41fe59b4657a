// `quorate/slim`: the same without the module, which whoever calls has.

import { connectWith } from "./connect.js";
import { QuorateError, badArgument } from "./errors.js";
import type * as face from "./public.js";
import { lastWrite, max, mergeObject, union } from "./resolvers.js";
import type { SlimOptions } from "./slim.public.js";

async function connect(options: SlimOptions): Promise<face.Client> {
  const source = options?.wasm;
  if (source === undefined || source === null) {
    throw badArgument(
      "connect: `wasm` must be the module of this package: a URL of quorate/client.wasm, its bytes, a " +
        "Response with it, or a WebAssembly.Module. The entry `quorate` brings it along.",
    );
  }
  return connectWith(() => source, options);
}

export { connect, QuorateError, lastWrite, max, mergeObject, union };

({ connect, QuorateError, lastWrite, max, mergeObject, union }) satisfies typeof import("./slim.public.js");
