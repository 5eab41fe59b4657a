// One class of errors, and the sentences that say what to do.

import type * as face from "./public.js";

type Code = face.ErrorCode;

export class QuorateError extends Error implements face.QuorateError {
  override readonly name = "QuorateError";
  readonly code: Code;
  readonly retryable: boolean;
  readonly outcome: "none" | "unknown";
  readonly node: string | undefined;
  readonly attempts: number;
  readonly needed: number | undefined;
  readonly acked: number | undefined;
  readonly limit: number | undefined;
  readonly actual: number | undefined;

  constructor(message: string, details: face.ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.retryable = details.retryable ?? false;
    this.outcome = details.outcome ?? "none";
    this.node = details.node;
    this.attempts = details.attempts ?? 0;
    this.needed = details.needed;
    this.acked = details.acked;
    this.limit = details.limit;
    this.actual = details.actual;
  }
}

export function badArgument(message: string): QuorateError {
  return new QuorateError(message, { code: "BAD_ARGUMENT" });
}

/** What the machine says about a call that failed. */
export interface Failure {
  code: Code;
  retryable: boolean;
  outcome: "none" | "unknown";
  node: string | undefined;
  attempts: number;
  needed: number;
  acked: number;
  limit: number;
  actual: number;
  detail: string;
}

/** `call` names the operation and its key for people. */
export function failed(call: string, failure: Failure): QuorateError {
  const unknown = failure.outcome === "unknown" ? " The write may have happened: read before you repeat it." : "";
  return new QuorateError(`${call}: ${sentence(failure)}${unknown}`, {
    ...failure,
    needed: failure.needed || failure.acked ? failure.needed : undefined,
    acked: failure.needed || failure.acked ? failure.acked : undefined,
    limit: failure.limit || failure.actual ? failure.limit : undefined,
    actual: failure.limit || failure.actual ? failure.actual : undefined,
  });
}

function sentence(failure: Failure): string {
  const { needed, acked, limit, actual, detail } = failure;
  switch (failure.code) {
    case "QUORUM_UNAVAILABLE":
      return `${acked} of the key's own replicas can be reached, ${needed} are needed. Try again when more nodes are up.`;
    case "TIMEOUT":
      return `no quorum answered in time${needed ? ` (${acked} of ${needed})` : ""}. Try again, or raise \`timeout\`.`;
    case "OVERLOADED":
      return "too many operations are under way. Try again with fewer at a time.";
    case "WEAK_QUORUM":
      return "R + W must be greater than N, unless the cluster is configured with `allow_weak = true`. Raise `r` or `w`.";
    case "BAD_QUORUM":
      return `\`r\` and \`w\` can be at most N${limit ? `, which is ${limit}` : ""}.`;
    case "BAD_CONTEXT":
      return "the context is damaged or belongs to another key. Use one that `get` or `put` returned for this key.";
    case "KEY_SIZE":
      return actual ? `the key has ${actual} bytes, the limit is ${limit}.` : "a key has at least one byte.";
    case "VALUE_TOO_LARGE":
      return `the value has ${actual} bytes, the limit is ${limit}. Split it over several keys.`;
    case "TOO_MANY_SIBLINGS":
      return `the key holds ${actual || "too many"} conflicting values${limit ? ` (limit ${limit})` : ""}. Read it, merge them, write with the context.`;
    case "RECORD_TOO_LARGE":
      return `all conflicting values of the key together would exceed ${limit} bytes. Read it, merge them, write with the context.`;
    case "DAMAGED":
      return "a value does not match its checksum. Try again: another replica may hold it intact.";
    case "STORAGE":
      return "the node could not use its storage. Try again; its operator should look at its log.";
    case "NOT_A_PRIMARY":
      return "the nodes disagree about who holds the key, as during a change of the layout. Try again.";
    case "UNREACHABLE":
      return "no node could be reached in time, nothing was sent. Check the network and the addresses of the nodes.";
    case "REJECTED":
      return `the cluster refuses this client${detail ? `: ${detail}` : ""}.`;
    case "ABORTED":
      return "it was aborted.";
    case "CLOSED":
      return "the client is closed.";
    default:
      return detail || failure.code;
  }
}
