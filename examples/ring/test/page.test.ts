// The page as a person uses it, in headless Chromium, against the real simulation.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { BrowserContextOptions, Page } from "playwright-core";
import { replay } from "quorate/sim";

import { decode, encode } from "../src/link.js";
import type { Linked } from "../src/link.js";
import { Session } from "../src/time/session.js";
import { SCENARIOS } from "../src/tour/scenarios.js";
import { STEPS } from "../src/tour/steps.js";
import { Stand } from "./browser.js";
import { simulate } from "./programs.js";

let stand: Stand;

before(async () => {
  stand = await Stand.start();
});

after(async () => {
  await stand?.stop();
});

const named = (page: Page, name: string) => page.locator(`[data-name="${name}"]`);
const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).first().click();

/** A world of the person's own, at the greatest pace. */
async function freePlay(options: BrowserContextOptions = {}): Promise<Page> {
  const page = await stand.open("", options);
  await named(page, "free").click();
  await page.getByLabel("Pace").selectOption("20");
  return page;
}

async function ask(page: Page, deed: "Get" | "Put", key: string, value = ""): Promise<void> {
  await named(page, "key").fill(key);
  if (deed === "Put") await named(page, "value").fill(value);
  await press(page, deed);
}

/** How the newest call ended, once it has. */
async function outcome(page: Page, call: number): Promise<string> {
  const newest = page.locator(".calls > li").first();
  await page.waitForFunction((count) => document.querySelectorAll(".calls > li").length === count, call);
  await newest.locator(".standing:not(.pending)").waitFor();
  return newest.locator(".standing").innerText();
}

async function trace(page: Page): Promise<string> {
  await page.locator(".trace:not([hidden])").waitFor();
  return page.locator(".trace").innerText();
}

/** The hash that the native simulator comes to. */
async function nativeTrace({ script, at }: Linked): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "quorate-ring-"));
  try {
    const file = join(folder, "script.json");
    await writeFile(file, JSON.stringify(script));
    const said = await simulate("sim", "--script", file, "--until", String(at), "--json");
    return (JSON.parse(said) as { trace: string }).trace;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("the tour goes from its start to its end", async () => {
  const page = await stand.open();
  await page.getByLabel("Pace").selectOption("20");
  for (const [index, step] of STEPS.entries()) {
    await page.getByRole("heading", { name: step.title }).waitFor();
    for (const deed of step.deeds) {
      await named(page, "deed").filter({ hasText: deed.label }).click();
    }
    const next = index === STEPS.length - 1 ? "To free play" : "Next";
    await named(page, "deed").filter({ hasText: next }).click();
  }
  await page.getByRole("heading", { name: "Free play" }).waitFor();
  await page.getByRole("button", { name: SCENARIOS[0]?.title ?? "" }).click();
  await page.locator(".checks li").nth(3).waitFor();
  await page.context().close();
});

test("a killed primary is stood in for, and its hint goes home", async () => {
  const page = await freePlay();
  await named(page, "key").fill("cart");
  const label = await page.locator(".holders tbody th").nth(1).innerText();
  await page.locator(".node").filter({ hasText: label }).click();
  await press(page, "Kill");
  await ask(page, "Put", "cart", "milk");
  assert.equal(await outcome(page, 1), "done");
  await page.locator(".hints:not(.none)").waitFor();
  const hint = page.locator(".holders tbody tr").filter({ hasText: `hint for ${label}` });
  await hint.waitFor();
  await press(page, "Restart");
  await hint.waitFor({ state: "detached" });
  await page.locator(".hints:not(.none)").waitFor({ state: "detached" });
  assert.match(await page.locator(".holders tbody tr").nth(1).innerText(), /milk/);
  await page.context().close();
});

test("a partition is drawn by dragging, and siblings are merged after it", async () => {
  const page = await freePlay();
  const box = await page.locator(".ring").boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.62, box.y + box.height * 0.06);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.62, box.y + box.height * 0.94, { steps: 5 });
  await page.mouse.up();
  await page.locator(".walls path").nth(1).waitFor({ state: "attached" });
  await ask(page, "Put", "cart", "bread");
  await outcome(page, 1);
  await named(page, "client 1").and(page.locator("button")).click();
  await ask(page, "Put", "cart", "eggs");
  await outcome(page, 2);
  await page.getByText("Network and zones").click();
  await named(page, "heal").click();
  await page.locator(".walls path").first().waitFor({ state: "detached" });
  await ask(page, "Get", "cart");
  assert.equal(await outcome(page, 3), "2 siblings");
  assert.equal(await named(page, "merged").inputValue(), "bread, eggs");
  await named(page, "merge").click();
  assert.equal(await outcome(page, 4), "done");
  await ask(page, "Get", "cart");
  assert.equal(await outcome(page, 5), "bread, eggs");
  await page.context().close();
});

test("a link replays to the same trace, in the page, in Node.js and natively", async () => {
  const page = await freePlay();
  await ask(page, "Put", "cart", "milk");
  await outcome(page, 1);
  await page.locator(".node").nth(2).click();
  await press(page, "Kill");
  await ask(page, "Put", "cart", "eggs");
  await outcome(page, 2);
  await named(page, "play").click();
  const hash = await trace(page);
  await named(page, "link").click();
  await page.getByText("The link is").waitFor();
  const address = new URL(page.url());
  const again = await stand.open(address.hash);
  assert.equal(await trace(again), hash);
  assert.equal(await again.locator(".calls > li").count(), 2);
  const linked = await decode(address.hash);
  assert.ok(linked);
  const session = await Session.open(linked.script);
  for await (const { again: anew } of session.travel(linked.at)) assert.equal(anew, false);
  assert.equal(`trace ${session.trace()}`, hash);
  assert.equal(`trace ${await nativeTrace(linked)}`, hash);
  await page.context().close();
  await again.context().close();
});

test("the slider goes back, and to act there begins another course", async () => {
  const page = await freePlay();
  await ask(page, "Put", "cart", "milk");
  await outcome(page, 1);
  await named(page, "play").click();
  const before = await trace(page);
  const slider = named(page, "moment");
  await slider.focus();
  await page.keyboard.press("Home");
  await page.locator(".fork:not([hidden])").waitFor();
  await page.locator(".calls > li").waitFor({ state: "detached" });
  await slider.focus();
  await page.keyboard.press("End");
  await page.locator(".fork").waitFor({ state: "hidden" });
  await page.locator(".calls > li").waitFor();
  assert.equal(await trace(page), before);
  await page.keyboard.press("Home");
  await page.locator(".fork:not([hidden])").waitFor();
  await ask(page, "Put", "cart", "eggs");
  await page.locator(".fork").waitFor({ state: "hidden" });
  assert.equal(await outcome(page, 1), "done");
  assert.match(await page.locator(".calls .title").innerText(), /eggs/);
  await page.context().close();
});

test("a client in the ring is chosen with the mouse", async () => {
  const page = await freePlay();
  await page.locator("g.client").nth(1).click();
  await page.locator("g.client.chosen").getByText("B").waitFor();
  await page.context().close();
});

test("a value that looks like markup stays text", async () => {
  const page = await freePlay();
  const value = "<img src=x onerror=\"document.title='run'\">";
  await ask(page, "Put", "<b>key</b>", value);
  await outcome(page, 1);
  await ask(page, "Get", "<b>key</b>");
  assert.equal(await outcome(page, 2), [...value].slice(0, 23).join("") + "…");
  await page.locator(".receipt").getByText(value).first().waitFor();
  assert.equal(await page.locator("img, b").count(), 0);
  assert.equal(await page.title(), "Quorate: the ring");
  await page.context().close();
});

test("a link that is damaged, or that the simulator refuses, is told, and a fresh world opened", async () => {
  const refused = await encode({ script: { options: { nodes: 1_000 }, actions: [] }, at: 0 });
  for (const fragment of ["#run=eJyrVkrOz1WyMtBRKkvMKU1VsqoGAFL8BxU", `#${refused}`]) {
    const page = await stand.open(fragment);
    await page.getByRole("alert").getByText("Here is a fresh world.").waitFor();
    await page.getByRole("heading", { name: STEPS[0]?.title ?? "" }).waitFor();
    await page.context().close();
  }
});

test("a random run of the simulator opens by its seed, to be watched", async () => {
  const page = await stand.open("?seed=3");
  await page.getByText("Seed 3:").getByText("Every promise was kept.").waitFor();
  await named(page, "play").click();
  assert.equal(await trace(page), `trace ${(await replay(3)).trace}`);
  await named(page, "moment").focus();
  await page.keyboard.press("End");
  await page.locator(".calls > li").nth(20).waitFor();
  assert.ok(await page.getByRole("button", { name: "Put", exact: true }).isDisabled());
  await page.context().close();
});

test("everything goes by the keyboard", async () => {
  const page = await freePlay();
  await page.locator(".node").first().focus();
  await page.keyboard.press("Enter");
  await page.locator(".node").first().and(page.locator("[aria-pressed=true]")).waitFor();
  await page.locator("summary").filter({ hasText: "Network and zones" }).focus();
  await page.keyboard.press("Enter");
  for (const node of [0, 1]) {
    await named(page, `side ${node}`).focus();
    await page.keyboard.press("Space");
  }
  await named(page, "partition").focus();
  await page.keyboard.press("Enter");
  await page.locator(".walls path").first().waitFor({ state: "attached" });
  await named(page, "slots").focus();
  await page.keyboard.press("ArrowRight");
  await page.locator(".caption").getByText(/Slot 1 of 64: owner n\d, primaries n\d, n\d and n\d/).waitFor();
  await named(page, "key").focus();
  await page.keyboard.type("cart");
  await page.keyboard.press("Tab");
  await page.keyboard.type("milk");
  await page.keyboard.press("Enter");
  assert.equal(await outcome(page, 1), "done");
  await page.locator("summary").filter({ hasText: "Everything as text" }).focus();
  await page.keyboard.press("Enter");
  await page.locator(".state").getByText("cart: slot").waitFor();
  await page.context().close();
});

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const LOOKS: readonly (readonly [string, BrowserContextOptions])[] = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { viewport: { width: 360, height: 780 } }],
];

for (const [name, options] of LOOKS) {
  test(`axe finds nothing: ${name}`, async () => {
    const page = await freePlay(options);
    await ask(page, "Put", "cart", "milk");
    await outcome(page, 1);
    await page.locator(".node").nth(1).click();
    await press(page, "Kill");
    for (const summary of await page.locator("summary").all()) await summary.click();
    await page.locator(".state li").first().waitFor();
    await named(page, "play").click();
    assert.deepEqual(await violations(page), []);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} px stand out at the side`);
    await page.context().close();
  });
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  return page.evaluate(async () => {
    type Found = { violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] };
    const { axe } = globalThis as unknown as { axe: { run(): Promise<Found> } };
    const found = await axe.run();
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("; ")}`);
  });
}

test("no page met an error that nobody caught, or did what its policy forbids", () => {
  assert.deepEqual(stand.complaints, []);
});
