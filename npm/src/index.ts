// The package `quorate`.

import { connect } from "./connect.js";
import { QuorateError } from "./errors.js";
import type * as face from "./public.js";

export { connect, QuorateError };

// The code keeps to the types that are published.
({ connect, QuorateError }) satisfies Pick<typeof face, "connect" | "QuorateError">;
