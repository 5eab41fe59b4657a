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
  readonly retryAfter: number | undefined;

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
    this.retryAfter = details.retryAfter;
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
  /** Milliseconds; 0: unknown. */
  retryAfter: number;
  message: string;
}

/** `call` names the operation and its key for people. */
export function failed(call: string, failure: Failure): QuorateError {
  const { needed, acked, limit, actual, retryAfter, message, ...details } = failure;
  const counted = needed > 0 || acked > 0;
  const limited = limit > 0 || actual > 0;
  return new QuorateError(`${call}: ${message}`, {
    ...details,
    needed: counted ? needed : undefined,
    acked: counted ? acked : undefined,
    limit: limited ? limit : undefined,
    actual: limited ? actual : undefined,
    retryAfter: retryAfter > 0 ? retryAfter : undefined,
  });
}
