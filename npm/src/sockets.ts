// The WebSockets of one client, by the numbers that the machine gave them.

import { forbidden, reasonOf } from "./reasons.js";
import type { OpenSocket, Socket } from "./websocket.js";

/** What sockets report. A socket that was hung up reports nothing any more. */
export interface SocketEvents {
  onOpened(link: number): void;
  onClosed(link: number, address: string, reason: string | undefined): void;
  onMessage(link: number, message: Uint8Array): void;
}

/** How long a closing handshake may take. */
const CLOSE_MS = 500;

export class Sockets {
  readonly #open: OpenSocket;
  readonly #events: SocketEvents;
  readonly #sockets = new Map<number, Socket>();
  /** Those that were hung up and are not closed yet. */
  readonly #closing = new Set<Promise<void>>();
  readonly #forbidden = forbidden();

  constructor(open: OpenSocket, events: SocketEvents) {
    this.#open = open;
    this.#events = events;
  }

  dial(link: number, address: string): void {
    let socket: Socket;
    try {
      socket = this.#open(address);
    } catch (cause) {
      const { name, message } = cause as Partial<Error>;
      const reason = name === "SecurityError" ? this.#whyNot(address) : undefined;
      this.#events.onClosed(link, address, reason ?? message);
      return;
    }
    this.#sockets.set(link, socket);
    let reason: string | undefined;
    socket.onopen = () => this.#events.onOpened(link);
    socket.onmessage = ({ data }) => {
      if (data instanceof Uint8Array) this.#events.onMessage(link, data);
      else if (data instanceof ArrayBuffer) this.#events.onMessage(link, new Uint8Array(data));
    };
    const end = (code: number, told: string) => {
      if (this.#sockets.get(link) !== socket) return;
      this.#sockets.delete(link);
      const silent = code === 1006 ? this.#whyNot(socket.url ?? address) : `closed with code ${code}`;
      this.#events.onClosed(link, address, reason ?? (told || silent));
    };
    socket.onerror = ({ message }) => {
      reason = message || undefined;
      // Chromium tells no end of a socket that the page's policy forbids.
      if (socket.readyState === 3) setTimeout(end, 0, 1006, "");
    };
    socket.onclose = ({ code, reason: told }) => end(code, told);
  }

  send(link: number, message: Uint8Array): void {
    const socket = this.#sockets.get(link);
    // A socket that is closing reports its end itself.
    if (socket?.readyState === 1) socket.send(message);
  }

  hangup(link: number): void {
    const socket = this.#sockets.get(link);
    if (socket === undefined) return;
    this.#sockets.delete(link);
    const closed = close(socket).then(() => void this.#closing.delete(closed));
    this.#closing.add(closed);
  }

  #whyNot(address: string): string | undefined {
    return reasonOf(address, this.#forbidden.has(address));
  }

  /** Hangs up all and waits until they are closed. */
  async close(): Promise<void> {
    this.#forbidden.end();
    for (const link of [...this.#sockets.keys()]) this.hangup(link);
    await Promise.all(this.#closing);
  }
}

function close(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      socket.terminate?.();
      end();
    }, CLOSE_MS);
    socket.onopen = null;
    socket.onmessage = null;
    // `ws` throws errors that nobody listens to.
    socket.onerror = () => {};
    socket.onclose = end;
    if (socket.readyState === 3) end();
    else socket.close(1000);
  });
}
