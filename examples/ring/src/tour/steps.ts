// The seven steps of the tour. Each opens a world of its own, and drives the real simulation: a
// deed is done by a press of its button, and is over when the world says so.

import type { RunOptions } from "quorate/sim";

import { mergedOf } from "../panels/ask.js";
import { members, stage } from "../panels/change.js";
import { worst } from "../ring/nodes.js";
import { nodeName } from "../words.js";
import { SETTLED_MS, alike, ended, hintsHeld, holds, nth, primary } from "./stage.js";
import type { Opening, Stage } from "./stage.js";

export interface TourDeed {
  readonly label: string;
  do(stage: Stage): Promise<void>;
  /** Whether what the deed wanted has come about. */
  done(stage: Stage): boolean;
  /** What was to be seen. */
  then(stage: Stage): string;
  /** By how much the wait is quickened, where it is long. */
  readonly haste?: number;
}

export interface TourStep {
  readonly title: string;
  readonly text: string;
  readonly opening: Opening;
  /** Whether comparisons of replicas are shown slowly. */
  readonly comparisons?: boolean;
  readonly deeds: readonly TourDeed[];
}

const WORLD: RunOptions = { nodes: 5, zones: 1, clients: 3, slots: 64, seed: 7 };
const KEY = "cart";

function opening(more: Partial<Opening> = {}): Opening {
  return { options: WORLD, actions: [], at: SETTLED_MS, key: KEY, ...more };
}

/** The world of a step that begins with a cart in it. */
const WITH_CART = opening({
  actions: [{ at: SETTLED_MS, do: "put", client: 2, key: KEY, value: "milk" }],
  at: SETTLED_MS + 500,
});

export const STEPS: readonly TourStep[] = [
  {
    title: "The ring and its slots",
    text: "Keys are hashed onto a ring of 64 equal slots. Each slot belongs to one of five nodes: its colour says to which. No directory is asked: whoever knows the layout finds every key.",
    opening: opening({ key: "" }),
    deeds: [
      {
        label: "Find the key “cart”",
        do: async ({ hands }) => hands.choose({ key: KEY }),
        done: ({ scene }) => scene.choice.key === KEY && scene.location !== undefined,
        then: (stage) =>
          `Its MD5 falls into slot ${stage.scene.location?.slot}. From there the walk goes clockwise, and takes each new node once: the first three, ${names(stage, [0, 1, 2])}, are the primaries.`,
      },
    ],
  },
  {
    title: "Replication and quorum",
    text: "Three nodes hold each key: N = 3. A write is done when W = 2 of them have it on disk, a read when R = 2 have answered. Since R + W > N, a read always meets the newest write.",
    opening: opening(),
    deeds: [
      {
        label: "A writes cart = milk",
        do: ({ hands }) => put(hands, 0, "milk"),
        done: (stage) => ended(stage, "put", 1),
        then: () => "The coordinator sent the record to the two other primaries. Two durable acknowledgements ended the call; the third came after.",
      },
      {
        label: "B reads cart",
        do: ({ hands }) => get(hands, 1),
        done: (stage) => ended(stage, "get", 1),
        then: () => "Two answers that agree are enough. Open the call below: its receipt says who answered.",
      },
    ],
  },
  {
    title: "Concurrent writes, siblings",
    text: "The store never refuses a write because somebody else writes, too. Two writers who have not seen each other leave two siblings, each with its dot: the name of its write.",
    opening: WITH_CART,
    deeds: [
      {
        label: "A and B read the cart",
        do: async ({ hands }) => {
          await get(hands, 0);
          await get(hands, 1);
        },
        done: (stage) => ended(stage, "get", 2),
        then: () => "Both know “milk”, and neither knows of the other.",
      },
      {
        label: "A adds bread, B adds eggs",
        do: async (stage) => {
          await put(stage.hands, 0, "bread, milk", nth(stage, "get", 0)?.call);
          await put(stage.hands, 1, "eggs, milk", nth(stage, "get", 1)?.call);
        },
        done: (stage) => ended(stage, "put", 3),
        then: () => "Each write replaced “milk”, which its writer had seen, and nothing else. Both stand.",
      },
      {
        label: "A reads again",
        do: ({ hands }) => get(hands, 0),
        done: (stage) => ended(stage, "get", 3),
        then: () => "One read, two values, one context that covers both.",
      },
      {
        label: "Merge them",
        do: async (stage) => {
          const read = nth(stage, "get", 2);
          const values = read?.outcome?.kind === "entry" ? read.outcome.values : [];
          await put(stage.hands, 0, mergedOf(values), read?.call);
        },
        done: (stage) => ended(stage, "put", 4) && alike(stage.scene.location) && holds(stage, primary(stage, 0)) === 1,
        then: () => "The merged write carries the context of the read, so it replaces both. Nothing was lost.",
      },
    ],
  },
  {
    title: "Sloppy quorum, hinted hand-off",
    text: "A node may die at any time, and writes must go on. Another node then stands in for it, and keeps what it should have got as a hint.",
    opening: WITH_CART,
    deeds: [
      {
        label: "Kill a primary",
        do: (stage) => crash(stage, primary(stage, 1)),
        done: (stage) => stage.scene.view.nodes[primary(stage, 1)]?.up === false,
        then: (stage) => `${names(stage, [1])} is dead. Nobody has been told yet.`,
      },
      {
        label: "C adds bread",
        do: ({ hands }) => put(hands, 2, "bread, milk", FIRST_PUT),
        done: (stage) => ended(stage, "put", 2) && hintsHeld(stage) > 0,
        then: (stage) => `A fallback, the next node on the walk, took the copy, and holds a hint for ${names(stage, [1])}: the number at its disc.`,
      },
      {
        label: "Restart the node",
        do: async (stage) => {
          await stage.hands.act({ do: "restart", node: primary(stage, 1) });
        },
        done: (stage) => hintsHeld(stage) === 0 && holds(stage, primary(stage, 1)) > 0,
        then: () => "The hint went home, and was dropped only when the node had it on its own disk.",
        haste: 2,
      },
    ],
  },
  {
    title: "Gossip and witnesses",
    text: "No node is in charge. Each raises its heartbeat once a second, and tells a few others what it knows. Who stands still is first suspected, and is down only when two independent witnesses agree.",
    opening: opening({ key: "" }),
    deeds: [
      {
        label: "Pause a node",
        do: async ({ hands }) => {
          hands.choose({ node: PAUSED });
          await hands.act({ do: "pause", node: PAUSED });
        },
        done: ({ scene }) => worst(scene.view, PAUSED) !== "",
        then: () => "Its heartbeat has not risen for several intervals: a witness accuses it. The dashed lines lead from the witnesses.",
        haste: 2,
      },
      {
        label: "Wait for the second witness",
        do: async () => {},
        done: ({ scene }) => worst(scene.view, PAUSED) === "down",
        then: () => "Two witnesses agree, so it is down. No data moves for that: it may come back.",
        haste: 2,
      },
      {
        label: "Let it go on",
        do: async ({ hands }) => {
          await hands.act({ do: "resume", node: PAUSED });
        },
        done: ({ scene }) => worst(scene.view, PAUSED) === "",
        then: () => "A higher heartbeat refutes every suspicion at once.",
        haste: 2,
      },
    ],
  },
  {
    title: "Merkle repair",
    text: "A hint can be lost, too. Replicas therefore compare themselves all the time: first one hash of a whole slot, and only where it differs its parts, down to the keys.",
    opening: WITH_CART,
    comparisons: true,
    deeds: [
      {
        label: "Kill a primary, then write",
        do: async (stage) => {
          await crash(stage, primary(stage, 1));
          await put(stage.hands, 2, "bread, milk", FIRST_PUT);
        },
        done: (stage) => ended(stage, "put", 2) && hintsHeld(stage) > 0,
        then: (stage) => `A fallback holds a hint for ${names(stage, [1])}.`,
      },
      {
        label: "Destroy the fallback and its disk",
        do: async (stage) => {
          const node = stage.scene.view.nodes.findIndex(({ hints }) => hints.length > 0);
          await crash(stage, node);
          await stage.hands.act({ do: "wipe", node });
        },
        done: ({ happened }) => happened.some((one) => one.kind === "node" && one.what === "wiped"),
        then: () => "The hint is gone for good. No message will ever bring this write to the dead primary.",
      },
      {
        label: "Restart both",
        do: async ({ scene, hands }) => {
          for (const [node, { up }] of scene.view.nodes.entries()) {
            if (!up) await hands.act({ do: "restart", node });
          }
        },
        done: (stage) => alike(stage.scene.location),
        then: (stage) => `The hashes of the slot differed, then of one part of it, then one key: that alone was sent to ${names(stage, [1])}.`,
        haste: 5,
      },
    ],
  },
  {
    title: "Growing the ring",
    text: "A sixth node is up, and holds nothing. An operator stages it, looks at what would move, and commits: the layout gets a new number, and slots move while clients go on.",
    opening: opening({
      options: { ...WORLD, newcomers: 1 },
      actions: ["cart", "user", "order", "stock", "note"].map((key, index) => ({
        at: SETTLED_MS + index * 20,
        do: "put" as const,
        client: index % 3,
        key,
        value: `first ${key}`,
      })),
      at: SETTLED_MS + 600,
    }),
    deeds: [
      {
        label: "Plan it",
        do: async ({ scene, hands }) => {
          stage(hands, [...members(scene.view), { node: NEWCOMER, weight: 1 }]);
        },
        done: ({ scene }) => scene.choice.plan !== undefined,
        then: ({ scene }) => `${scene.choice.plan?.moved} of 64 slots would move: the outer marks, in the colour of their next owner. That is the share of a sixth node, and no slot more.`,
      },
      {
        label: "Commit it",
        do: async ({ scene, hands }) => {
          const added = [...members(scene.view), { node: NEWCOMER, weight: 1 }];
          stage(hands, undefined);
          await hands.act({ do: "layout", members: added });
        },
        done: ({ scene: { view } }) =>
          view.nodes[NEWCOMER]?.member === true &&
          view.nodes.every(({ slotsToFill, layouts }) => slotsToFill === 0 && layouts?.oldest === layouts?.newest),
        then: () => "Until all had filled their slots, writes went to both layouts and reads to the old one. Now the old one is dropped.",
        haste: 5,
      },
    ],
  },
];

/** The call that filled the cart. */
const FIRST_PUT = 1;
const PAUSED = 3;
const NEWCOMER = 5;

type Hands = Stage["hands"];

async function put(hands: Hands, client: number, value: string, after?: number): Promise<void> {
  const call = await hands.act({ do: "put", client, key: KEY, value, ...(after === undefined ? {} : { after }) });
  hands.choose({ client, call });
}

async function get(hands: Hands, client: number): Promise<void> {
  const call = await hands.act({ do: "get", client, key: KEY });
  hands.choose({ client, call });
}

async function crash({ hands }: Stage, node: number): Promise<void> {
  hands.choose({ node });
  await hands.act({ do: "crash", node });
}

function names(stage: Stage, primaries: readonly number[]): string {
  return primaries.map((index) => nodeName(stage.scene.view, primary(stage, index))).join(", ");
}
