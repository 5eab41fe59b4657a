// Three scenarios to solve. Each check reads the world and what has happened in it.

import type { Happening, RunOptions } from "quorate/sim";

import { SETTLED_MS, alike, hintsHeld } from "./stage.js";
import type { Opening, Stage } from "./stage.js";

export interface Scenario {
  readonly title: string;
  readonly task: string;
  readonly opening: Opening;
  readonly checks: readonly { readonly label: string; done(stage: Stage): boolean }[];
}

const WORLD: RunOptions = { nodes: 5, zones: 1, clients: 3, slots: 64, seed: 11 };
const WRITES = 3;
const DEAD = 2;
const NEWCOMER = 5;

export const SCENARIOS: readonly Scenario[] = [
  {
    title: "Lose no write while two nodes die",
    task: `Kill two nodes. While both are dead, have ${WRITES} writes acknowledged. Then bring the cluster back until every primary holds every key.`,
    opening: { options: WORLD, actions: [], at: SETTLED_MS, key: "order" },
    checks: [
      { label: "Two nodes were dead at once", done: ({ happened }) => mostDead(happened).dead >= 2 },
      { label: `${WRITES} writes were acknowledged meanwhile`, done: (stage) => mostDead(stage.happened, stage).written >= WRITES },
      { label: "All nodes are up, and no hint is left", done: (stage) => allUp(stage) && hintsHeld(stage) === 0 },
      { label: "Every key stands on all of its primaries", done: everyKeyStands },
    ],
  },
  {
    title: "Make a conflict, and end it",
    task: "Two clients write one key without knowing of each other, for instance on two sides of a partition. Then merge what stands, so that every primary holds one value again.",
    opening: { options: WORLD, actions: [], at: SETTLED_MS, key: "cart" },
    checks: [
      {
        label: "A copy held two siblings",
        done: ({ happened }) => happened.some((one) => one.kind === "stored" && one.siblings.length > 1),
      },
      { label: "Everyone reaches everyone", done: (stage) => allUp(stage) && stage.scene.view.cuts.length === 0 },
      {
        label: "Every primary holds one value, the same",
        done: (stage) => stage.scene.view.keys.every(({ siblings }) => siblings === 1) && everyKeyStands(stage),
      },
    ],
  },
  {
    title: "Replace a dead node",
    task: "A node has died with its disk, and a spare one is up. Give its place to the spare node, without losing a key.",
    opening: {
      options: { ...WORLD, newcomers: 1 },
      actions: [
        ...["cart", "order", "stock", "user"].map((key, index) => ({
          at: SETTLED_MS + index * 50,
          do: "put" as const,
          client: index % 3,
          key,
          value: `first ${key}`,
        })),
        { at: SETTLED_MS + 500, do: "crash", node: DEAD },
        { at: SETTLED_MS + 510, do: "wipe", node: DEAD },
      ],
      at: SETTLED_MS + 600,
      key: "order",
    },
    checks: [
      { label: "The dead node is no member", done: ({ scene }) => scene.view.nodes[DEAD]?.member === false },
      { label: "The spare node is one", done: ({ scene }) => scene.view.nodes[NEWCOMER]?.member === true },
      { label: "No slot is left to fill", done: ({ scene }) => scene.view.nodes[NEWCOMER]?.member === true && scene.view.nodes.every(({ slotsToFill }) => slotsToFill === 0) },
      { label: "Every key stands on all of its primaries", done: (stage) => stage.scene.view.nodes[DEAD]?.member === false && everyKeyStands(stage) },
    ],
  },
];

/** The most nodes that were dead at once, and the writes acknowledged while two or more were. */
function mostDead(happened: readonly Happening[], stage?: Stage): { dead: number; written: number } {
  const dead = new Set<number>();
  let [most, written] = [0, 0];
  for (const happening of happened) {
    if (happening.kind === "node") {
      if (happening.what === "down") dead.add(happening.node);
      if (happening.what === "up") dead.delete(happening.node);
      most = Math.max(most, dead.size);
    }
    const began = happening.kind === "ended" ? stage?.scene.operations.of(happening.call) : undefined;
    if (dead.size >= 2 && began?.outcome?.kind === "written") written += 1;
  }
  return { dead: most, written };
}

function allUp({ scene }: Stage): boolean {
  return scene.view.nodes.every(({ up, paused }) => up && !paused);
}

/** Keys there are, and each stands alike on all of its primaries. */
function everyKeyStands({ scene: { view, source } }: Stage): boolean {
  return view.keys.length > 0 && view.keys.every(({ key }) => alike(source.locate(key)));
}
