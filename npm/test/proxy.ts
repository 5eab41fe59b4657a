// A TCP proxy in front of a node, which harms the bytes that go through it.

import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import type { Random } from "./random.js";

/** What may happen to a piece of the stream, as the network had it. */
export type Harm = "nothing" | "cut" | "delay" | "truncate" | "duplicate";

/** Says what happens to the next piece, in the given direction. */
export type Decide = (direction: "up" | "down", bytes: Buffer) => Harm;

const DELAY_MAX_MS = 40;

export class Proxy {
  /** How often each harm was done. */
  readonly done = new Map<Harm, number>();
  decide: Decide = () => "nothing";
  readonly #server: Server;
  readonly #random: Random;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number, random: Random) {
    this.#server = server;
    this.#random = random;
    server.on("connection", (client) => {
      const node = connect(port, "127.0.0.1");
      for (const [from, to, direction] of [[client, node, "up"], [node, client, "down"]] as const) {
        this.#sockets.add(from);
        // The end of one side is the end of the other; errors end it, too.
        from.on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        void this.#carry(from, to, direction);
      }
    });
  }

  /** A proxy of the node at this WebSocket URL. */
  static async start(address: string, random: Random): Promise<Proxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Proxy(server, Number(new URL(address).port), random);
  }

  get address(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #carry(from: Socket, to: Socket, direction: "up" | "down"): Promise<void> {
    try {
      for await (const bytes of from as AsyncIterable<Buffer>) {
        const harm = this.decide(direction, bytes);
        this.done.set(harm, (this.done.get(harm) ?? 0) + 1);
        if (harm === "cut") return void to.destroy();
        if (harm === "truncate") return void to.end(bytes.subarray(0, this.#random.below(bytes.length)));
        if (harm === "delay") await sleep(this.#random.below(DELAY_MAX_MS));
        to.write(bytes);
        if (harm === "duplicate") to.write(bytes);
      }
      to.end();
    } catch {
      to.destroy();
    }
  }
}
