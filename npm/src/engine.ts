// Runs the machine: gathers commands, hands them over once per turn of the event loop, carries the
// results out, and keeps the one timer.
//
// Invariant: every call ends exactly once, by an answer, an abort, a failure or the end of the
// client, and is in `#calls` until then.

import { CommandBatch } from "./commands.js";
import type { RequestOptions } from "./commands.js";
import { QuorateError, failed } from "./errors.js";
import type { Failure } from "./errors.js";
import { fail, watch } from "./module.js";
import type { Machine, Module } from "./module.js";
import { machineBytes } from "./options.js";
import type { MachineOptions } from "./options.js";
import type { ClientEvents, DownReason, Key } from "./public.js";
import { ResultBatch } from "./results.js";
import type { RawEntry, RawWritten, ResultSink } from "./results.js";
import { Sockets } from "./sockets.js";
import type { Observers } from "./status.js";
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

interface Call {
  /** Names the operation for people. */
  name: () => string;
  writes: boolean;
  resolve: (answer: never) => void;
  reject: (reason: unknown) => void;
  /** Stops listening to the signal. */
  release: (() => void) | undefined;
}

/** Turns of the microtask queue that a batch waits: continuations of what was just resolved. */
const PATIENCE = 3;

export class Engine implements ResultSink {
  readonly #machine: Machine;
  readonly #events: EngineEvents;
  readonly #observers: Observers;
  readonly #sockets: Sockets;
  readonly #commands: CommandBatch;
  readonly #results: ResultBatch;
  readonly #calls = new Map<number, Call>();
  readonly #unwatch: () => void;
  /** Requests so far; the machine counts them, too. */
  #count = 0;
  #patience = 0;
  #running = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakeAt = 0;
  #ended: QuorateError | undefined;

  constructor(
    module: Module,
    options: MachineOptions,
    open: OpenSocket,
    observers: Observers,
    events: EngineEvents,
  ) {
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
      onMessage: (link, message) => this.#tell(() => this.#commands.message(link, message)),
    });
    this.#unwatch = watch((cause) => this.#onPanic(cause));
    this.#schedule();
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  /** The machine, for what needs no input or output. */
  get machine(): Machine {
    if (this.#ended) throw this.#ended;
    return this.#machine;
  }

  get(
    key: Key,
    context: Uint8Array,
    options: RequestOptions,
    signal: AbortSignal | undefined,
    name: () => string,
  ) {
    return this.#begin<RawEntry>(false, signal, name, () =>
      this.#commands.get(options, key, context),
    );
  }

  put(
    key: Key,
    context: Uint8Array,
    value: string | Uint8Array,
    options: RequestOptions,
    signal: AbortSignal | undefined,
    name: () => string,
  ) {
    return this.#begin<RawWritten>(true, signal, name, () =>
      this.#commands.put(options, key, context, value),
    );
  }

  delete(
    key: Key,
    context: Uint8Array,
    options: RequestOptions,
    signal: AbortSignal | undefined,
    name: () => string,
  ) {
    return this.#begin<RawWritten>(true, signal, name, () =>
      this.#commands.delete(options, key, context),
    );
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
    this.#settle(call)?.resolve(entry as never);
  }

  onWritten(call: number, written: RawWritten): void {
    this.#settle(call)?.resolve(written as never);
  }

  onFailed(call: number, failure: Failure): void {
    const ended = this.#settle(call);
    ended?.reject(failed(ended.name(), failure));
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

  #begin<Answer>(
    writes: boolean,
    signal: AbortSignal | undefined,
    name: () => string,
    write: () => void,
  ): Promise<Answer> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return new Promise<Answer>((resolve, reject) => {
      this.#tell(write);
      this.#count += 1;
      const call = this.#count;
      let release: (() => void) | undefined;
      if (signal) {
        const onAbort = () => this.#abort(call, signal.reason);
        signal.addEventListener("abort", onAbort, { once: true });
        release = () => signal.removeEventListener("abort", onAbort);
      }
      this.#calls.set(call, { name, writes, resolve, reject, release });
      if (this.#calls.size === 1) this.#hold(true);
      if (this.#commands.isFull) this.#flush();
    });
  }

  #abort(call: number, reason: unknown): void {
    this.#settle(call)?.reject(reason);
    this.#tell(() => this.#commands.cancel(call));
  }

  #settle(call: number): Call | undefined {
    const found = this.#calls.get(call);
    if (found) {
      this.#calls.delete(call);
      found.release?.();
      if (this.#calls.size === 0) this.#hold(false);
    }
    return found;
  }

  /** Adds a command to the batch. */
  #tell(write: () => void): void {
    if (this.#ended) return;
    write();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#patience > 0) return;
    this.#patience = PATIENCE;
    queueMicrotask(this.#wait);
  }

  readonly #wait = (): void => {
    if (this.#patience === 0) return;
    this.#patience -= 1;
    if (this.#patience > 0) queueMicrotask(this.#wait);
    else this.#flush();
  };

  #flush(): void {
    if (this.#ended || this.#running) return;
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

  #onPanic(cause: unknown): void {
    const error = new QuorateError(
      "The client failed inside, which is a bug of Quorate: please report it. Connect anew.",
      { code: "INTERNAL", cause, outcome: "unknown" },
    );
    this.#end(error);
    void this.#sockets.close();
    this.#events.onFailure(error);
  }

  #end(error: QuorateError): void {
    this.#ended = error;
    this.#observers.end();
    this.#unwatch();
    clearTimeout(this.#timer);
    for (const [call, { name, writes }] of [...this.#calls]) {
      const outcome = writes ? "unknown" : "none";
      this.#settle(call)?.reject(
        new QuorateError(`${name()}: ${error.message}`, { code: error.code, outcome, cause: error.cause }),
      );
    }
  }
}
