// The package `quorate`, with the module inside it.

import { connectWith } from "./connect.js";
import { QuorateError } from "./errors.js";
import type * as face from "./public.js";
import { lastWrite, max, mergeObject, union } from "./resolvers.js";
import { unpack } from "./unpack.js";

/** The module as gzip in base64: the build puts it here. */
declare const QUORATE_WASM: string;

function connect(options: face.ConnectOptions): Promise<face.Client> {
  return connectWith(() => unpack(QUORATE_WASM), options);
}

export { connect, QuorateError, lastWrite, max, mergeObject, union };

// The code keeps to the types that are published.
({ connect, QuorateError, lastWrite, max, mergeObject, union }) satisfies typeof face;
