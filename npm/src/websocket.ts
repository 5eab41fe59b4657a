// Which WebSocket class to use.

import { QuorateError, badArgument } from "./errors.js";
import { importPeer } from "./peer.js";
import type { WebSocketClass, WebSocketLike } from "./public.js";

const PROTOCOL = "quorate.v1";

/** The part of a WebSocket that every implementation has. */
export interface Socket extends WebSocketLike {
  binaryType: string;
  /** Where it leads, if it says so. */
  readonly url?: string;
  onopen: (() => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: { message?: string }) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  /** `ws` only: ends without waiting for the other side. */
  terminate?(): void;
}

export type OpenSocket = (url: string) => Socket;

/** The option, else the global class, else that of the package `ws`. */
export async function chooseWebSocket(given: WebSocketClass | undefined): Promise<OpenSocket> {
  if (given !== undefined && typeof given !== "function") {
    throw badArgument("`WebSocket` must be a class, such as that of the package ws.");
  }
  const chosen = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (chosen !== undefined) {
    return (url) => {
      const socket = new chosen(url, PROTOCOL) as Socket;
      socket.binaryType = "arraybuffer";
      return socket;
    };
  }
  return ownPackage();
}

async function ownPackage(): Promise<OpenSocket> {
  try {
    const { WebSocket } = (await importPeer()) as {
      WebSocket: new (url: string, protocol: string, options: object) => Socket;
    };
    return (url) => {
      // Compression makes everything many times slower.
      const socket = new WebSocket(url, PROTOCOL, { perMessageDeflate: false });
      // A view of what the socket read, where an ArrayBuffer would be a copy of it.
      socket.binaryType = "nodebuffer";
      return socket;
    };
  } catch (cause) {
    throw new QuorateError(
      "This runtime has no WebSocket (Node.js has one since version 22). Install the package ws " +
        "(npm install ws), or pass a class as the option `WebSocket`.",
      { code: "NO_WEBSOCKET", cause },
    );
  }
}
