// Runs the machine: gathers commands, hands them over once per turn of the event loop, carries the
// results out, and keeps the one timer.
//
// Invariant: every call ends exactly once, by an answer, an abort, a failure or the end of the
// client, and is in `#calls` until then.

import { keyName } from "./bytes.js";
import { CommandBatch } from "./commands.js";
import type { RequestOptions } from "./commands.js";
import { Entry, Written } from "./entry.js";
import { QuorateError, failed } from "./errors.js";
import type { Failure } from "./errors.js";
import { fail, watch } from "./module.js";
import type { Machine, Module } from "./module.js";
import { machineBytes } from "./options.js";
import type { MachineOptions } from "./options.js";
import type { ClientEvents, DownReason, Key } from "./public.js";
import { listen } from "./page.js";
import { ResultBatch } from "./results.js";
import type { RawEntry, RawWritten, ResultSink } from "./results.js";
import { toStats } from "./ring.js";
import { Sockets } from "./sockets.js";
import type { Observers } from "./status.js";
import type { End, Trace } from "./telemetry.js";
import type { OpenSocket } from "./websocket.js";

/** What the engine tells about the cluster. */
export interface EngineEvents {
  /** A node has welcomed the client. */
  onConnected(): void;
  /** A connection or an attempt to connect has ended. */
  onLost(address: string, reason: string | undefined): void;
  onRejected(address: string, code: string, detail: string): void;
  onLayout(): void;
  onFailure(error: QuorateError): void;
}

/** What the user asked for. */
export type Verb = "get" | "session get" | "put" | "delete" | "update" | "ping";

interface Call {
  verb: Verb;
  key: Key;
  writes: boolean;
  resolve: (answer: never) => void;
  reject: (reason: unknown) => void;
  /** Stops listening to the signal. */
  release: (() => void) | undefined;
  /** Tells of its end whoever traces it. */
  onEnd: End | undefined;
}

// What the last promise was made with: one function serves all, not a closure for each.
let resolveLast: (answer: never) => void;
let rejectLast: (reason: unknown) => void;
const executor = (resolve: (answer: never) => void, reject: (reason: unknown) => void): void => {
  resolveLast = resolve;
  rejectLast = reject;
};

/** Runs microtasks: `queueMicrotask` of Node.js makes an object for each to follow it by. */
const settled = Promise.resolve();

/** Turns of the microtask queue that a batch waits: continuations of what was just resolved. */
const PATIENCE = 3;

/**
 * Runs when all sockets of this turn of the event loop were read. Browsers have nothing of the kind:
 * there each message is a turn.
 */
const atEndOfTurn = (globalThis as { setImmediate?: (run: () => void) => unknown }).setImmediate;

export class Engine implements ResultSink {
  readonly #machine: Machine;
  readonly #events: EngineEvents;
  readonly #observers: Observers;
  readonly #sockets: Sockets;
  readonly #commands: CommandBatch;
  readonly #results: ResultBatch;
  readonly #calls = new Map<number, Call>();
  readonly #unwatch: () => void;
  readonly #unlisten: () => void;
  readonly #trace: Trace | undefined;
  /** Requests so far; the machine counts them, too. */
  #count = 0;
  #patience = 0;
  /** Whether messages wait for the end of the turn; commands wait with them. */
  #gathering = false;
  #running = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakeAt = 0;
  #ended: QuorateError | undefined;
  #failure: QuorateError | undefined;
  /** Why no call begins any more, while those under way may end. */
  #refuses: QuorateError | undefined;
  /** Who waits for the last call under way. */
  #onIdle: (() => void) | undefined;

  constructor(
    module: Module,
    options: MachineOptions,
    open: OpenSocket,
    observers: Observers,
    events: EngineEvents,
    trace?: Trace,
  ) {
    this.#trace = trace;
    this.#events = events;
    this.#observers = observers;
    this.#machine = new module.Client(machineBytes(options));
    this.#commands = new CommandBatch(this.#machine, module.memory);
    this.#results = new ResultBatch(module.memory);
    this.#sockets = new Sockets(open, {
      onOpened: (link) => this.#tell(() => this.#commands.opened(link)),
      onClosed: (link, address, reason) => {
        this.#events.onLost(address, reason);
        this.#tell(() => this.#commands.closed(link));
      },
      onMessage: (link, message) => this.#onMessage(link, message),
    });
    this.#unwatch = watch((cause) => this.#onPanic(cause));
    this.#unlisten = listen(() => this.redial("", 0), () => this.#onShown());
    this.#schedule();
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  /** Why the client is no more, if that is a bug of ours. */
  get failure(): QuorateError | undefined {
    return this.#failure;
  }

  /** The machine, for what needs no input or output. */
  get machine(): Machine {
    if (this.#ended) throw this.#ended;
    return this.#machine;
  }

  /**
   * A `get` resolves to undefined where there is no value, any other read to an entry without any.
   * These three throw where the request cannot begin.
   */
  get(
    verb: Verb,
    key: Key,
    context: string | Uint8Array,
    options: RequestOptions,
    signal: AbortSignal | undefined,
  ): Promise<Entry | undefined> {
    this.#check(signal);
    this.#commands.get(options, key, context);
    return this.#begin(verb, key, false, signal);
  }

  put(
    verb: Verb,
    key: Key,
    context: string | Uint8Array,
    value: string | Uint8Array,
    options: RequestOptions,
    signal: AbortSignal | undefined,
  ): Promise<Written> {
    this.#check(signal);
    this.#commands.put(options, key, context, value);
    return this.#begin(verb, key, true, signal);
  }

  delete(
    key: Key,
    context: string | Uint8Array,
    options: RequestOptions,
    signal: AbortSignal | undefined,
  ): Promise<Written> {
    this.#check(signal);
    this.#commands.delete(options, key, context);
    return this.#begin("delete", key, true, signal);
  }

  /** Resolves to the milliseconds that a node takes to answer; a timeout of 0 is the client's. */
  ping(node: string, timeout: number, signal: AbortSignal | undefined): Promise<number> {
    this.#check(signal);
    this.#commands.ping(node, timeout);
    return this.#begin("ping", node, false, signal);
  }

  /** An address that failed, or all where it is empty, is dialled again after `wait` milliseconds. */
  redial(address: string, wait: number): void {
    this.#tell(() => this.#commands.redial(address, wait));
  }

  /** No call begins any more; resolves when those under way have ended, after `ms` at the latest. */
  async drain(error: QuorateError, ms: number): Promise<void> {
    this.#refuses ??= error;
    if (this.#calls.size === 0 || this.#ended) return;
    await new Promise<void>((resolve) => {
      const others = this.#onIdle;
      const timer = setTimeout(resolve, ms);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
        others?.();
      };
    });
  }

  /** Ends everything. Later calls fail with `error`. */
  async close(error: QuorateError): Promise<void> {
    if (!this.#ended) {
      this.#tell(() => this.#commands.close());
      this.#flush();
      this.#end(error);
      this.#machine.free();
    }
    await this.#sockets.close();
  }

  onDial(link: number, address: string): void {
    this.#sockets.dial(link, address);
    this.#observers.touch();
  }

  onSend(link: number, message: Uint8Array): void {
    this.#sockets.send(link, message);
  }

  onHangup(link: number): void {
    this.#sockets.hangup(link);
    this.#observers.touch();
  }

  onEntry(call: number, entry: RawEntry): void {
    const ended = this.#settle(call);
    const isNothing = entry.values === 0 && ended?.verb === "get";
    ended?.onEnd?.(this.#results.answeredBy());
    ended?.resolve((isNothing ? undefined : new Entry(entry)) as never);
  }

  onWritten(call: number, written: RawWritten): void {
    const ended = this.#settle(call);
    ended?.onEnd?.(this.#results.answeredBy());
    ended?.resolve(new Written(written) as never);
  }

  onPong(call: number, took: number): void {
    const ended = this.#settle(call);
    ended?.onEnd?.(ended.key as string);
    ended?.resolve(took as never);
  }

  onFailed(call: number, failure: Failure): void {
    const ended = this.#settle(call);
    if (ended) reject(ended, failed(nameOf(ended), failure), failure.node);
  }

  onConnected(node: string, address: string): void {
    this.#events.onConnected();
    this.#observe("connected", { node, address });
  }

  onDisconnected(node: string | undefined, address: string): void {
    this.#observe("disconnected", { node, address });
  }

  onNodeDown(node: string, reason: DownReason): void {
    this.#observe("nodedown", { node, reason });
  }

  onNodeUp(node: string): void {
    this.#observe("nodeup", { node });
  }

  onLayout(version: number): void {
    this.#events.onLayout();
    this.#observe("layout", { version });
  }

  onRejected(address: string, code: string, detail: string): void {
    this.#events.onRejected(address, code, detail);
  }

  #observe<Name extends keyof ClientEvents>(name: Name, event: ClientEvents[Name]): void {
    this.#observers.emit(name, event);
    this.#observers.touch();
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#ended) throw this.#ended;
    if (this.#refuses) throw this.#refuses;
    if (signal?.aborted) throw signal.reason;
  }

  /** The request is the last command of the batch. */
  #begin<Answer>(
    verb: Verb,
    key: Key,
    writes: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    this.#count += 1;
    const number = this.#count;
    const onEnd = this.#trace?.(operation(verb, writes), key);
    // Whoever was told may have closed the client.
    if (this.#ended) return Promise.reject(this.#ended);
    const promise = new Promise<never>(executor) as Promise<Answer>;
    const call: Call = {
      verb,
      key,
      writes,
      resolve: resolveLast,
      reject: rejectLast,
      release: undefined,
      onEnd,
    };
    if (signal) {
      const onAbort = () => this.#abort(number, signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      call.release = () => signal.removeEventListener("abort", onAbort);
    }
    this.#calls.set(number, call);
    if (this.#calls.size === 1) this.#hold(true);
    if (this.#commands.isFull) this.#flush();
    else this.#schedule();
    return promise;
  }

  #abort(call: number, reason: unknown): void {
    const ended = this.#settle(call);
    if (ended) reject(ended, reason);
    this.#tell(() => this.#commands.cancel(call));
  }

  #settle(call: number): Call | undefined {
    const found = this.#calls.get(call);
    if (found) {
      this.#calls.delete(call);
      found.release?.();
      if (this.#calls.size === 0) {
        this.#hold(false);
        this.#onIdle?.();
      }
    }
    return found;
  }

  /**
   * Answers of several nodes that come in one turn make one batch, and so do the requests that
   * follow from them: a message per node then. A single call has nobody to wait for.
   */
  #onMessage(link: number, message: Uint8Array): void {
    if (this.#ended) return;
    this.#commands.message(link, message);
    const isAlone = this.#calls.size <= 1 && !this.#gathering;
    if (this.#commands.isFull || isAlone) this.#flush();
    else if (!atEndOfTurn) this.#schedule();
    else if (!this.#gathering) {
      this.#gathering = true;
      atEndOfTurn(this.#onEndOfTurn);
    }
  }

  readonly #onEndOfTurn = (): void => {
    this.#gathering = false;
    this.#flush();
  };

  /** Adds a command to the batch. */
  #tell(write: () => void): void {
    if (this.#ended) return;
    write();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#patience > 0 || this.#gathering) return;
    this.#patience = PATIENCE;
    void settled.then(this.#wait);
  }

  readonly #wait = (): void => {
    if (this.#patience === 0) return;
    this.#patience -= 1;
    if (this.#patience > 0) void settled.then(this.#wait);
    else this.#flush();
  };

  #flush(): void {
    if (this.#ended) return;
    // A socket that answers while it is sent to.
    if (this.#running) return this.#schedule();
    this.#patience = 0;
    this.#running = true;
    try {
      const length = this.#commands.run();
      const wake = this.#results.read(this.#machine.output(), length, this);
      this.#arm(wake);
    } catch (cause) {
      fail(cause);
    } finally {
      this.#running = false;
    }
  }

  /** A timer that is early asks again: so it is seldom set. */
  #arm(delay: number | undefined): void {
    if (delay === undefined || this.#ended) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    const at = performance.now() + delay;
    if (this.#timer !== undefined && this.#wakeAt <= at) return;
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#tell(() => this.#commands.wake());
      this.#flush();
    }, Math.min(delay, 0x7fff_ffff));
    this.#hold(this.#calls.size > 0);
  }

  /** In Node.js the timer keeps a process alive only while a call is under way. */
  #hold(alive: boolean): void {
    const timer = this.#timer as { ref?(): void; unref?(): void } | undefined;
    if (alive) timer?.ref?.();
    else timer?.unref?.();
  }

  /** People look at the page again: whatever froze meanwhile is looked after at once. */
  #onShown(): void {
    if (this.#ended || this.#refuses) return;
    this.redial("", 0);
    this.#commands.wake();
    this.#flush();
    if (this.#ended) return;
    // A node that does not answer is found silent, and its calls go elsewhere.
    for (const node of toStats(this.#machine.stats()).connected) {
      this.ping(node, 0, undefined).catch(() => {});
    }
  }

  #onPanic(cause: unknown): void {
    const error = new QuorateError(
      "The client failed inside, which is a bug of Quorate: please report it. Connect anew.",
      { code: "INTERNAL", cause, outcome: "unknown" },
    );
    this.#failure = error;
    this.#observers.emit("failed", { error });
    this.#end(error);
    void this.#sockets.close();
    this.#events.onFailure(error);
  }

  #end(error: QuorateError): void {
    this.#ended = error;
    this.#observers.end();
    this.#unwatch();
    this.#unlisten();
    clearTimeout(this.#timer);
    for (const [number, call] of [...this.#calls]) {
      const outcome = call.writes ? "unknown" : "none";
      const { code, cause, message } = error;
      this.#settle(number);
      reject(call, new QuorateError(`${nameOf(call)}: ${message}`, { code, outcome, cause }));
    }
  }
}

function reject(call: Call, reason: unknown, node?: string): void {
  call.onEnd?.(node, { reason });
  call.reject(reason);
}

/** What an update does is reads and writes. */
function operation(verb: Verb, writes: boolean): string {
  return verb === "delete" || verb === "ping" ? verb : writes ? "put" : "get";
}

/** For people. */
function nameOf({ verb, key }: Call): string {
  return `${verb} ${keyName(key)}`;
}
