// The ring, the place of a key on it and statistics: the byte layout is described in
// `wasm/src/client/view.rs`.

import { QuorateError } from "./errors.js";
import type { Bytes, Key, Location, Ring, RingNode, Stats } from "./public.js";
import { ByteReader, hex } from "./reader.js";

/** The part of the machine that knows the ring. */
export interface RingSource {
  ring(): Bytes;
  locate(key: Uint8Array): Bytes;
}

const encoder = new TextEncoder();

/** As long as the cluster has no layout. */
const NONE: Ring = Object.freeze({
  version: 0,
  replication: 0,
  nodes: Object.freeze([]),
  owners: Object.freeze([]),
});

/** Keeps the ring of one layout version. */
export class RingView {
  #ring: Ring | undefined;

  /** Of the ring that was asked for last. */
  get version(): number {
    return this.#ring?.version ?? 0;
  }

  /** The layout has changed. */
  forget(): void {
    this.#ring = undefined;
  }

  ring(source: RingSource): Ring {
    if (this.#ring) return this.#ring;
    const bytes = source.ring();
    if (bytes.length === 0) return NONE;
    return (this.#ring = toRing(bytes));
  }

  locate(source: RingSource, key: Key): Location {
    const { nodes, replication } = this.ring(source);
    if (nodes.length === 0) {
      throw new QuorateError("locate: the cluster has no layout yet. Try again in a moment.", {
        code: "NOT_READY",
        retryable: true,
      });
    }
    const bytes = typeof key === "string" ? encoder.encode(key) : key;
    const place = new ByteReader(source.locate(bytes));
    const position = Array.from(place.raw(16), (byte) => hex(byte, 2)).join("");
    const slot = place.u32();
    const list = place.list(() => nodes[place.u16()] as RingNode);
    return { position, slot, primaries: list.slice(0, replication), nodes: list };
  }
}

/** Frozen, since all callers share it. */
function toRing(bytes: Bytes): Ring {
  const ring = new ByteReader(bytes);
  const version = ring.u64();
  const replication = ring.u32();
  const nodes = ring.list(() => {
    const id = ring.node();
    const weight = ring.u32();
    return Object.freeze({ id, label: ring.text(), zone: ring.text(), address: ring.text(), weight });
  });
  const owners = ring.list(() => ring.u16());
  return Object.freeze({ version, replication, nodes: Object.freeze(nodes), owners: Object.freeze(owners) });
}

export function toStats(bytes: Bytes): Omit<Stats, "inFlight"> {
  const stats = new ByteReader(bytes);
  const ms = () => stats.u32() / 1_000;
  const [calls, done, failed] = [stats.u64(), stats.u64(), stats.u64()];
  const [direct, passedOn] = [stats.u64(), stats.u64()];
  return {
    calls,
    done,
    failed,
    direct,
    passedOn,
    directShare: direct / (direct + passedOn || 1),
    retries: stats.u64(),
    hedges: stats.u64(),
    connected: stats.nodes(),
    nodes: stats.list(() => ({ id: stats.node(), answers: stats.u64(), p50: ms(), p99: ms() })),
  };
}
