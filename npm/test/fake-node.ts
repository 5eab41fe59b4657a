// A node that is no Rust: it speaks the published protocol through protobufjs, keeps values in a
// map, and misbehaves on demand.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import protobuf from "protobufjs";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";

import { xxh64 } from "./xxh64.js";

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
  /** Whom the layout names; empty: the cluster has no layout yet. */
  members: readonly FakeNode[] = [this];
  readonly #id: bigint;
  readonly #server: WebSocketServer;
  /** What came in while it was paused. */
  #paused: [WebSocket, Buffer][] | undefined;

  private constructor(server: WebSocketServer, id: bigint) {
    this.#server = server;
    this.#id = id;
    server.on("connection", (socket) => {
      socket.on("message", (data: Buffer) => this.#onMessage(socket, data));
    });
  }

  static async start(id = 7n, port = 0): Promise<FakeNode> {
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port,
      handleProtocols: () => "quorate.v1",
    });
    await once(server, "listening");
    return new FakeNode(server, id);
  }

  /** Nodes with the ids 1, 2, ... that are all primaries of every key. */
  static async cluster(count: number): Promise<FakeNode[]> {
    const ids = Array.from({ length: count }, (_, index) => BigInt(index + 1));
    const nodes = await Promise.all(ids.map((id) => FakeNode.start(id)));
    for (const node of nodes) node.members = nodes;
    return nodes;
  }

  /** As the client has it. */
  get id(): string {
    return this.#id.toString(16).padStart(16, "0");
  }

  /** Goes on taking in, and answers nothing: a process that was stopped. */
  pause(): void {
    this.#paused = [];
  }

  resume(): void {
    const paused = this.#paused ?? [];
    this.#paused = undefined;
    for (const [socket, data] of paused) this.#onMessage(socket, data);
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
    if (this.#paused) {
      this.#paused.push([socket, data]);
      return;
    }
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
    const members = this.members.map((node) => {
      return { id: String(node.#id), label: "fake", zone: "", weight: 1, address: node.url };
    });
    const owners = Array.from({ length: 16 }, (_, slot) => slot % members.length);
    return {
      version: 1,
      cluster: "42",
      node: String(this.#id),
      label: "fake",
      incarnation: 1,
      defaults: { r: 1, w: 1, allowWeak: true, keyBytesMax: 1024, valueBytesMax: 1048576, callsMax: 1024 },
      ...(members.length > 0 && {
        layout: { version: "1", replication: members.length, members, owners },
      }),
    };
  }

  #reply(request: Record<string, unknown>, result: object): object {
    return { reply: { call: request.call, layoutVersion: "1", ...result } };
  }

  #read(key: string): object {
    const values = (this.values.get(key) ?? []).map((value) => ({ ...value, writtenMs: WRITTEN_MS }));
    return { values, tombstones: 0, context: contextToken(key, this.#id) };
  }

  /** Without contexts every put is blind. */
  #write({ key, value }: Record<string, unknown>): object {
    const values = value ? [value as object, ...(this.values.get(String(key)) ?? [])] : [];
    this.values.set(String(key), values);
    return { siblings: values.length, context: contextToken(String(key), this.#id) };
  }
}

/** The token of one write of a node, by the layout in `core/src/causality/token.rs`. */
export function contextToken(key: string, node: bigint): Uint8Array {
  const signed = Buffer.alloc(17);
  signed.set([1, 1]);
  signed.writeBigUInt64BE(node, 2);
  signed.writeUInt32BE(1, 10);
  signed.set([1, 1, 0], 14);
  const sum = Buffer.alloc(8);
  sum.writeBigUInt64BE(xxh64(signed, xxh64(Buffer.from(key))));
  return Buffer.concat([signed, sum]);
}

const WRITTEN_MS = "1700000000000";
