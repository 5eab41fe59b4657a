// `quorate` for workerd, which compiles no bytes: it imports the module of the package as a module.

import module from "./client.wasm";

import { connectWith } from "./connect.js";
import { QuorateError } from "./errors.js";
import type * as face from "./public.js";
import { lastWrite, max, mergeObject, union } from "./resolvers.js";

function connect(options: face.ConnectOptions): Promise<face.Client> {
  return connectWith(() => module, options);
}

export { connect, QuorateError, lastWrite, max, mergeObject, union };

({ connect, QuorateError, lastWrite, max, mergeObject, union }) satisfies typeof face;
