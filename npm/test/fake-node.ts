// A node that is no Rust: it speaks the published protocol through protobufjs, keeps values in a
// map, and misbehaves on demand.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import protobuf from "protobufjs";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";

const PROTO = fileURLToPath(new URL("../../core/proto/quorate.proto", import.meta.url));
const Frame = protobuf.loadSync(PROTO).lookupType("quorate.v1.Frame");

/** One frame as a plain object: 64-bit numbers as decimal strings, enums as names. */
export type PlainFrame = Record<string, Record<string, unknown>>;

export function encodeFrame(frame: object): Uint8Array {
  return Frame.encodeDelimited(Frame.fromObject(frame)).finish();
}

/** The frame as JSON has it: bytes in base64. */
export function frameJson(frame: Uint8Array): object {
  const message = Frame.decodeDelimited(frame);
  return Frame.toObject(message, { longs: String, enums: String, bytes: String, oneofs: false });
}

/** All frames of one WebSocket message. */
export function decodeFrames(message: Uint8Array): PlainFrame[] {
  const reader = protobuf.Reader.create(message);
  const frames: PlainFrame[] = [];
  while (reader.pos < reader.len) {
    frames.push(Frame.toObject(Frame.decodeDelimited(reader), { longs: String, enums: String }));
  }
  return frames;
}

type Respond = (frame: PlainFrame, socket: WebSocket) => object[] | undefined;

export class FakeNode {
  readonly received: PlainFrame[][] = [];
  readonly values = new Map<string, object[]>();
  /** Runs first: what it returns is sent in place of the usual answer. */
  intercept: Respond | undefined;
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on("connection", (socket) => {
      socket.on("message", (data: Buffer) => this.#onMessage(socket, data));
    });
  }

  static async start(): Promise<FakeNode> {
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      handleProtocols: () => "quorate.v1",
    });
    await once(server, "listening");
    return new FakeNode(server);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#server.clients.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Cuts all connections without a word. */
  cut(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }

  #onMessage(socket: WebSocket, data: Buffer): void {
    const frames = decodeFrames(data);
    this.received.push(frames);
    const answers = frames.flatMap((frame) => this.intercept?.(frame, socket) ?? this.#answer(frame));
    if (answers.length > 0) socket.send(Buffer.concat(answers.map(encodeFrame)));
  }

  #answer({ hello, get, put }: PlainFrame): object[] {
    if (hello) return [{ welcome: this.#welcome() }];
    if (get) return [this.#reply(get, { entry: this.#read(String(get.key)) })];
    if (put) return [this.#reply(put, { written: this.#write(put) })];
    return [];
  }

  #welcome(): object {
    const members = [{ id: "7", label: "fake", zone: "", weight: 1, address: this.url }];
    return {
      version: 1,
      cluster: "42",
      node: "7",
      label: "fake",
      incarnation: 1,
      defaults: { r: 1, w: 1, allowWeak: true, keyBytesMax: 1024, valueBytesMax: 1048576, callsMax: 1024 },
      layout: { version: "1", replication: 1, members, owners: Array<number>(16).fill(0) },
    };
  }

  #reply(request: Record<string, unknown>, result: object): object {
    return { reply: { call: request.call, layoutVersion: "1", ...result } };
  }

  #read(key: string): object {
    const values = (this.values.get(key) ?? []).map((value) => ({ ...value, writtenMs: WRITTEN_MS }));
    return { values, tombstones: 0 };
  }

  /** Without contexts every put is blind. */
  #write({ key, value }: Record<string, unknown>): object {
    const values = value ? [value as object, ...(this.values.get(String(key)) ?? [])] : [];
    this.values.set(String(key), values);
    return { siblings: values.length };
  }
}

const WRITTEN_MS = "1700000000000";
