// Opens what the address asks for: a run in its fragment, a seed of the simulator, the tour; and
// without a wish the cluster that serves the page, where it is one.

import { DamagedLink, decode } from "./link.js";
import type { Linked } from "./link.js";
import { LiveCluster } from "./live/cluster.js";
import { Page } from "./page.js";
import { Recorded } from "./time/recorded.js";
import { Session } from "./time/session.js";
import { STEPS } from "./tour/steps.js";

async function start(): Promise<void> {
  const asked = await linkedRun();
  const parameters = new URLSearchParams(location.search);
  const seed = parameters.get("seed");
  const simulated = asked.run !== undefined || seed !== null || parameters.has("tour");
  const live = simulated ? undefined : await LiveCluster.open(new URL(".", location.href));
  if (live) {
    new Page(live);
    return;
  }
  const first = STEPS[0];
  if (!first) throw new Error("The tour has no step.");
  const session = await Session.open(asked.run?.script ?? first.opening);
  const page = new Page(session);
  await page.travel(asked.run?.at ?? first.opening.at);
  if (asked.run) {
    page.pace.playing = false;
    page.tour.free();
  } else if (seed !== null) {
    await openSeed(page, seed);
  }
  if (asked.damage !== undefined) page.warn(`${asked.damage} Here is a fresh world.`);
  // Whoever pastes another link into the same tab, or goes back to another course, sees that one.
  addEventListener("popstate", () => void reopen(page));
}

async function linkedRun(): Promise<{ run?: Linked; damage?: string }> {
  try {
    const run = await decode(location.hash);
    return run ? { run } : {};
  } catch (error) {
    if (error instanceof DamagedLink) return { damage: error.message };
    throw error;
  }
}

async function reopen(page: Page): Promise<void> {
  const { run, damage } = await linkedRun();
  if (damage !== undefined) page.warn(damage);
  if (!run) return;
  await page.show(await Session.open(run.script), run.at);
  page.pace.playing = false;
  page.tour.free();
}

async function openSeed(page: Page, text: string): Promise<void> {
  try {
    const recorded = await Recorded.open(Number(text));
    await page.show(recorded, 0);
    page.tour.free();
    if (recorded.broken) page.warn(recorded.verdict);
    else page.tell(recorded.verdict);
  } catch (error) {
    page.warn(error instanceof Error ? error.message : String(error));
  }
}

void start();
