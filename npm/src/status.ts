// How the nodes stand, and everyone who wants to know when that changes.
//
// Listeners and loops run in microtasks of their own: never inside the machine, and what one of
// them throws stops nobody else.

import type { Bytes, ClientEvents, ClientStatus, DownReason, NodeState, Ring } from "./public.js";
import { ByteReader } from "./reader.js";

type EventName = keyof ClientEvents;
type Listener = (event: never) => void;

const STATES: readonly NodeState[] = ["idle", "connecting", "connected", "down"];
const REASONS: readonly (DownReason | undefined)[] = [undefined, "silent", "unreachable", "reported"];
const NAMES: readonly EventName[] = ["connected", "disconnected", "nodedown", "nodeup", "layout", "failed"];

export class Observers {
  readonly #listeners = new Map<EventName, Set<Listener>>();
  readonly #waiting = new Set<() => void>();
  #ended = false;

  get ended(): boolean {
    return this.#ended;
  }

  isEvent(name: unknown): name is EventName {
    return NAMES.includes(name as EventName);
  }

  on<Name extends EventName>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    // One function may listen twice, and stops once for each.
    const entry: Listener = (event) => listener(event);
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(entry));
    return () => void listeners.delete(entry);
  }

  emit<Name extends EventName>(name: Name, event: ClientEvents[Name]): void {
    const listeners = this.#listeners.get(name);
    if (!listeners?.size) return;
    Object.freeze(event);
    for (const listener of listeners) {
      queueMicrotask(() => {
        if (listeners.has(listener)) listener(event as never);
      });
    }
  }

  /** Something may have changed. */
  touch(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** The client is no more. */
  end(): void {
    this.#ended = true;
    this.touch();
  }

  /** Resolves at the next change, or when `signal` says so. */
  changed(signal: { wake?: () => void }): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        resolve();
      };
      signal.wake = wake;
      this.#waiting.add(wake);
    });
  }
}

/**
 * Yields what stands at present, then what stands after each change; changes that nobody took are
 * one. Two values whose `name` is the same are no change. `read` gives none when all was told.
 */
export function watch<T>(
  observers: Observers,
  read: () => T | undefined,
  name: (value: T) => unknown,
): AsyncIterableIterator<T, undefined> {
  const signal: { wake?: () => void } = {};
  let last: unknown;
  let over = false;
  let turn: Promise<unknown> = Promise.resolve();

  const next = async (): Promise<IteratorResult<T, undefined>> => {
    while (!over) {
      const value = read();
      if (value === undefined) break;
      const named = name(value);
      if (named !== last) {
        last = named;
        return { done: false, value };
      }
      if (observers.ended) break;
      await observers.changed(signal);
    }
    return { done: true, value: undefined };
  };
  return {
    next() {
      // Calls that do not wait for each other get one change each.
      const result = turn.then(next);
      turn = result.catch(() => {});
      return result;
    },
    return() {
      over = true;
      signal.wake?.();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The byte layout is described in `wasm/src/client/view.rs`. */
export function toStatus(bytes: Bytes, ring: Ring): ClientStatus {
  const status = new ByteReader(bytes);
  const nodes = status.list(() => {
    const id = status.node();
    const member = ring.nodes.find((node) => node.id === id);
    const state = STATES[status.u32()] as NodeState;
    const reason = REASONS[status.u32()];
    const { label = "", address = "" } = member ?? {};
    return Object.freeze({ id, label, address, state, ...(reason && { reason }) });
  });
  return { layoutVersion: ring.version, nodes: Object.freeze(nodes) };
}

export function downReason(number: number): DownReason {
  return REASONS[number] as DownReason;
}
