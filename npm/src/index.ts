// The package `quorate`.

import { connect } from "./connect.js";
import { QuorateError } from "./errors.js";
import type * as face from "./public.js";
import { lastWrite, max, mergeObject, union } from "./resolvers.js";

export { connect, QuorateError, lastWrite, max, mergeObject, union };

// The code keeps to the types that are published.
({ connect, QuorateError, lastWrite, max, mergeObject, union }) satisfies typeof face;
