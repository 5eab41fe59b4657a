// Opens what the address asks for: a run in its fragment, a seed of the simulator, the tour; and
// without a wish the cluster that serves the page, where it is one.

import { decode } from "./link.js";
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
  const { live, refused } = simulated ? {} : await servingCluster();
  if (live) {
    await new Page(live).travel(0);
    return;
  }
  const first = STEPS[0];
  if (!first) throw new Error("The tour has no step.");
  const page = new Page(asked.run?.session ?? (await Session.open(first.opening)));
  if (asked.run) {
    page.pace.playing = false;
    page.tour.free();
  }
  await page.travel(asked.run?.at ?? first.opening.at);
  if (seed !== null && !asked.run) await openSeed(page, seed);
  if (asked.damage !== undefined) page.warn(`${asked.damage} Here is a fresh world.`);
  if (refused !== undefined) page.warn(`The cluster that serves this page cannot be shown: ${refused} This is a simulated one.`);
  // Whoever pastes another link into the same tab, or goes back to another course, sees that one.
  addEventListener("popstate", () => void reopen(page));
}

/** The cluster that serves the page, where it is one, or why it cannot be shown. */
async function servingCluster(): Promise<{ live?: LiveCluster | undefined; refused?: string }> {
  try {
    return { live: await LiveCluster.open(new URL(".", location.href)) };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) };
  }
}

/** The run of the address, or why there is none: the link is damaged, or the simulator refuses it. */
async function linkedRun(): Promise<{ run?: { session: Session; at: number }; damage?: string }> {
  try {
    const run = await decode(location.hash);
    return run ? { run: { session: await Session.open(run.script), at: run.at } } : {};
  } catch (error) {
    return { damage: error instanceof Error ? error.message : String(error) };
  }
}

async function reopen(page: Page): Promise<void> {
  const { run, damage } = await linkedRun();
  if (damage !== undefined) page.warn(damage);
  if (!run) return;
  await page.show(run.session, run.at);
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
