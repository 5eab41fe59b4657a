// Tells traces, metrics and Node.js's diagnostics channels of each operation. Names are those of
// OpenTelemetry's semantic conventions for database clients.

import { badArgument } from "./errors.js";
import type { Key, Telemetry } from "./public.js";

/**
 * An operation begins: returns what is to be called at its end, if anybody listens. Neither throws,
 * whatever those who listen do: what they throw is thrown apart.
 */
export type Trace = (operation: string, key: Key) => End | undefined;

/** An operation has ended: on which node, and with which error, if there was one. */
export type End = (node: string | undefined, failure?: { reason: unknown }) => void;

type Attributes = Record<string, string | number>;

/** What is used of a `TracingChannel`. */
interface Channel {
  readonly hasSubscribers: boolean;
  readonly [phase: string]: { publish(message: object): void } | unknown;
}

const DURATION = "db.client.operation.duration";
/** As the conventions have it, in seconds. */
const BOUNDARIES = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const CLIENT = 2;
const ERROR = 2;

/** `addressOf` knows the URLs of nodes. */
export function tracing(
  telemetry: Telemetry | undefined,
  namespace: string | undefined,
  addressOf: (node: string) => string | undefined,
): Trace | undefined {
  const { tracer, meter } = checked(telemetry);
  const channel = operationChannel();
  const duration = meter?.createHistogram(DURATION, {
    description: "Duration of database client operations.",
    unit: "s",
    advice: { explicitBucketBoundaries: BOUNDARIES },
  });
  if (!channel && !tracer && !duration) return undefined;

  return (operation, key) => {
    try {
      return begin(operation, key);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
      return undefined;
    }
  };

  function begin(operation: string, key: Key): End | undefined {
    const publish = channel?.hasSubscribers ? publisher(channel) : undefined;
    if (!publish && !tracer && !duration) return undefined;
    const attributes: Attributes = {
      "db.system.name": "quorate",
      "db.operation.name": operation,
      ...(namespace && { "db.namespace": namespace }),
    };
    const span = tracer?.startSpan(operation, { kind: CLIENT, attributes });
    const told: Record<string, unknown> = { operation, key };
    publish?.("start", told);
    publish?.("end", told);
    const start = performance.now();
    return (node, failure) => {
      const took = performance.now() - start;
      // Never inside the machine: those who listen may do anything, such as to close the client.
      queueMicrotask(() => end(node, failure, took));
    };

    function end(node: string | undefined, failure: { reason: unknown } | undefined, took: number): void {
      const late: Attributes = node === undefined ? {} : server(addressOf(node));
      if (node !== undefined) told["node"] = node;
      if (failure) {
        const { reason } = failure;
        late["error.type"] = typeOf(reason);
        told["error"] = reason;
        publish?.("error", told);
        span?.setStatus({ code: ERROR, message: reason instanceof Error ? reason.message : String(reason) });
      }
      publish?.("asyncStart", told);
      publish?.("asyncEnd", told);
      for (const [name, value] of Object.entries(late)) span?.setAttribute(name, value);
      span?.end();
      duration?.record(took / 1_000, { ...attributes, ...late });
    }
  }
}

function checked(telemetry: Telemetry | undefined): Telemetry {
  if (telemetry === undefined) return {};
  const { tracer, meter } = (telemetry ?? {}) as Telemetry;
  const isMade = (maker: object | undefined, method: string) =>
    maker === undefined || typeof (maker as Record<string, unknown>)?.[method] === "function";
  const isObject = typeof telemetry === "object" && telemetry !== null;
  if (isObject && isMade(tracer, "startSpan") && isMade(meter, "createHistogram")) return telemetry;
  throw badArgument("connect: `telemetry` is { tracer, meter }, as @opentelemetry/api gives them.");
}

/** Node.js alone has it. An import of it would trouble bundlers. */
function operationChannel(): Channel | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): { tracingChannel?(name: string): Channel } };
  };
  return process?.getBuiltinModule?.("node:diagnostics_channel")?.tracingChannel?.("quorate:operation");
}

function publisher(channel: Channel): (phase: string, message: object) => void {
  return (phase, message) => (channel[phase] as { publish(message: object): void }).publish(message);
}

function server(address: string | undefined): Attributes {
  if (address === undefined) return {};
  const { hostname, port, protocol } = new URL(address);
  return { "server.address": hostname, "server.port": Number(port) || (protocol === "wss:" ? 443 : 80) };
}

function typeOf(reason: unknown): string {
  const { code, name } = (reason ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : typeof name === "string" ? name : "_OTHER";
}
