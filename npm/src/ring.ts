// The ring and the place of a key on it.

import type { Key, Location, Ring, RingNode } from "./public.js";

/** What the machine tells. */
interface RawRing {
  version: number;
  replication: number;
  members: RingNode[];
  owners: number[];
}

/** The part of the machine that knows the ring. */
export interface RingSource {
  ring(): unknown;
  locate(key: Uint8Array): Uint8Array;
}

const encoder = new TextEncoder();

/** Keeps the ring of one layout version. */
export class RingView {
  #ring: Ring | undefined;

  /** The layout has changed. */
  forget(): void {
    this.#ring = undefined;
  }

  ring(source: RingSource): Ring {
    return (this.#ring ??= toRing(source.ring() as RawRing));
  }

  locate(source: RingSource, key: Key): Location {
    const { nodes, replication } = this.ring(source);
    const found = source.locate(typeof key === "string" ? encoder.encode(key) : key);
    const view = new DataView(found.buffer, found.byteOffset, found.byteLength);
    const list: RingNode[] = [];
    for (let at = 20; at < found.byteLength; at += 2) {
      list.push(nodes[view.getUint16(at, true)] as RingNode);
    }
    const position = Array.from(found.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0"));
    return {
      position: position.join(""),
      slot: view.getUint32(16, true),
      primaries: list.slice(0, replication),
      nodes: list,
    };
  }
}

/** Frozen, since all callers share it. */
function toRing({ version, replication, members, owners }: RawRing): Ring {
  for (const member of members) Object.freeze(member);
  Object.freeze(members);
  Object.freeze(owners);
  return Object.freeze({ version, replication, nodes: members, owners });
}
