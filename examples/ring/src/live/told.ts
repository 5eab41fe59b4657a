// What the node that serves the page tells of the whole cluster, and the view that it makes.
//
// It is what `quorate status -o json` prints, asked for at `v1/cluster`.

import type { Ring } from "quorate";
import type { RunNode, RunView, Sight } from "quorate/sim";

/** How one node sees a member. */
interface ToldMember {
  readonly id: string;
  readonly label: string;
  readonly zone: string;
  readonly weight: number;
  readonly state: "up" | "not connected" | "suspected" | "down";
  readonly heartbeat_age_ms: number;
  /** Labels. */
  readonly witnesses: readonly string[];
  /** Hints that the one who tells holds for it. */
  readonly hints: number;
}

/** One node, in its own words; of one that is silent only who it is. */
interface ToldNode {
  readonly id: string;
  readonly label: string;
  readonly up: boolean;
  readonly layout_version?: number;
  readonly records?: number;
  readonly members?: readonly ToldMember[];
  readonly counters?: Readonly<Record<string, number>>;
}

export interface Told {
  readonly layout_version: number;
  readonly replication: number;
  readonly r: number;
  readonly w: number;
  readonly members: readonly ToldMember[];
  readonly nodes: readonly ToldNode[];
  /** What needs the attention of an operator, in sentences. */
  readonly attention: readonly string[];
  /** Whether the page may offer to write. */
  readonly ui?: { readonly writes: boolean };
}

/** The members by number: the order is that of their labels, so it stays while nodes come and go. */
export function numbering(told: Told): readonly string[] {
  const inOrder = new Intl.Collator("en", { numeric: true });
  return [...told.members].sort((a, b) => inOrder.compare(a.label, b.label)).map(({ id }) => id);
}

export function viewOf(told: Told, ring: Ring, now: number, underWay: number): RunView {
  const ids = numbering(told);
  const owners = ring.owners.map((owner) => ids.indexOf(ring.nodes[owner]?.id ?? ""));
  return {
    now,
    replication: told.replication,
    r: told.r,
    w: told.w,
    version: ring.version,
    nodes: ids.map((id) => nodeOf(id, ids, told, ring)),
    owners,
    primaries: [],
    clients: [{ underWay }],
    cuts: [],
    links: [],
    keys: [],
  };
}

function nodeOf(id: string, ids: readonly string[], told: Told, ring: Ring): RunNode {
  const member = told.members.find((one) => one.id === id);
  const node = told.nodes.find((one) => one.id === id);
  const members = node?.members ?? [];
  const hints = members.filter(({ hints }) => hints > 0).map((one) => ({ for: ids.indexOf(one.id), count: one.hints }));
  const sees = ids.map((other) => {
    const seen = members.find((one) => one.id === other);
    return seen ? sightOf(seen, ids, told) : null;
  });
  return {
    id,
    label: member?.label ?? id,
    zone: member?.zone ?? "",
    weight: member?.weight ?? 1,
    up: node?.up ?? false,
    paused: false,
    member: ring.nodes.some((one) => one.id === id),
    life: 1,
    clock: 0,
    records: node?.records ?? 0,
    hints,
    sees,
    slotsToFill: node?.counters?.["slots_to_fill"] ?? 0,
    counters: Object.entries(node?.counters ?? {}),
  };
}

function sightOf({ state, heartbeat_age_ms, witnesses }: ToldMember, ids: readonly string[], told: Told): Sight {
  const numbers = witnesses.map((label) => ids.indexOf(told.members.find((one) => one.label === label)?.id ?? ""));
  return {
    state: state === "down" ? "down" : state === "suspected" ? "suspect" : "up",
    age: heartbeat_age_ms,
    witnesses: numbers.filter((number) => number >= 0),
  };
}

/** The sum of a counter over all nodes that answer. */
export function total({ nodes }: Told, counter: string): number {
  return nodes.reduce((sum, { counters }) => sum + (counters?.[counter] ?? 0), 0);
}
