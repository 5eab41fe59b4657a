// The page in headless Chromium, against a cluster of its own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

const root = new URL("../../", import.meta.url).pathname;
const binary = [process.env.QUORATE_BIN ?? "", `${root}target/release/quorate`, `${root}target/debug/quorate`]
  .find((path) => existsSync(path));
/** Where screenshots go, if anybody wants them. */
const pictures = process.env.CART_PICTURES;

const processes = [];
let browser;
let address;

/** Starts a program and resolves to the first line that it prints. */
function firstLine(program, given) {
  const child = spawn(program, given, { stdio: ["ignore", "pipe", "inherit"], cwd: import.meta.dirname });
  processes.push(child);
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", () => reject(new Error(`${program} ended`)));
  });
}

before(async () => {
  assert.ok(binary, "build the node first: cargo build --release -p quorate-node");
  const dev = await firstLine(binary, ["dev", "--base-port", "0", "-o", "json"]);
  const page = await firstLine(process.execPath, ["server.js", "0"]);
  address = `${page}?seed=${JSON.parse(dev).nodes[0].address}`;
  browser = await chromium.launch({
    executablePath: process.env.CHROME_BIN ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
});

after(async () => {
  await browser?.close();
  for (const child of processes) child.kill("SIGTERM");
});

/** A device of a page, as a person uses it. */
class Hand {
  constructor(page, name) {
    this.panel = page.getByRole("region", { name });
  }

  async add(item) {
    await this.panel.getByRole("textbox").fill(item);
    await this.panel.getByRole("button", { name: "Add" }).click();
    await this.panel.getByRole("listitem").filter({ hasText: item }).waitFor();
  }

  async remove(item) {
    await this.panel.getByRole("button", { name: `Remove ${item}`, exact: true }).click();
    await this.panel.getByRole("listitem").filter({ hasText: item }).waitFor({ state: "detached" });
  }

  online() {
    return this.panel.getByRole("switch");
  }

  shows(text) {
    return this.panel.getByText(text).waitFor();
  }
}

async function opened(options = {}) {
  const page = await browser.newPage(options);
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(address);
  await page.getByText(/^Kept by node-\d, node-\d and node-\d\.$/).waitFor();
  return { page, phone: new Hand(page, "Phone"), laptop: new Hand(page, "Laptop") };
}

const complaints = [];
const picture = (page, name) => pictures && page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });

test("both carts are kept, a merge has both, and what was removed comes back", async () => {
  const { page, phone, laptop } = await opened();
  await picture(page, "empty");
  const carts = page.locator("#carts li");
  await phone.add("milk");
  await phone.add("eggs");
  await laptop.shows("eggs");
  await page.getByText("One cart.", { exact: true }).waitFor();

  await phone.online().uncheck();
  await phone.remove("eggs");
  await laptop.add("bread");
  await phone.shows("Offline: changes wait here.");
  await page.getByText("One cart, without what waits on the phone.").waitFor();
  await picture(page, "offline");
  assert.equal(await carts.count(), 1);

  await phone.online().check();
  await page.getByText("2 siblings: neither has replaced the other.").waitFor();
  assert.deepEqual((await carts.allTextContents()).sort(), ["milk", "milk, eggs, bread"]);
  await picture(page, "conflict");

  await phone.panel.getByRole("button", { name: "Merge both carts" }).click();
  await phone.shows("eggs came back: removed here, but the other cart still had it.");
  await page.getByText("One cart.", { exact: true }).waitFor();
  const [merged] = await carts.allTextContents();
  assert.deepEqual(merged.split(", ").sort(), ["bread", "eggs", "milk"]);
  await picture(page, "merged");

  // Once all agree, a removal is one.
  await phone.remove("eggs");
  await laptop.panel.getByText("eggs").waitFor({ state: "detached" });
  await page.close();
});

test("another window shows the same cart, and text is only ever text", async () => {
  const [one, two] = [await opened(), await opened()];
  const harm = "<img src=x onerror=alert(1)>";
  await one.phone.add(harm);
  await two.laptop.shows(harm);
  assert.equal(await two.page.locator("img").count(), 0);
  await one.phone.remove(harm);
  await two.laptop.panel.getByText(harm).waitFor({ state: "detached" });
  await Promise.all([one.page.close(), two.page.close()]);
});

for (const [name, options] of [
  ["dark", { colorScheme: "dark" }],
  ["narrow", { viewport: { width: 360, height: 740 } }],
]) {
  test(`the page fits: ${name}`, async () => {
    const { page } = await opened(options);
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${content} pixels in a window of ${window}`);
    await picture(page, name);
    await page.close();
  });
}

test("a page without nodes says so", async () => {
  const page = await browser.newPage();
  await page.goto(`${new URL(address).origin}/?seed=ws://127.0.0.1:1`);
  await page.getByText(/^UNREACHABLE: .*ws:\/\/127\.0\.0\.1:1/).waitFor();
  await page.close();
});

test("no page met an error that nobody caught", () => {
  assert.deepEqual(complaints, []);
});
