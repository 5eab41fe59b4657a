// Makes `ring.png`, the picture of the README: a write on its way to the primaries of a key.

import { fileURLToPath } from "node:url";

import { Stand } from "../test/browser.js";

/** About half of the time that a message is seen. */
const MIDWAY_MS = 300;
const FILE = fileURLToPath(new URL("../ring.png", import.meta.url));

const stand = await Stand.start();
const page = await stand.open("", { viewport: { width: 1100, height: 780 }, colorScheme: "light" });
await page.locator("[data-name=skip]").click();
await page.getByRole("heading", { name: "Replication and quorum" }).waitFor();
await page.locator("[data-name=deed]").click();
await page.locator(".call").first().waitFor();
// The messages to both other primaries are under way.
await page.locator(".messages[data-copies='2']").waitFor();
await page.waitForTimeout(MIDWAY_MS);
await page.locator("[data-name=play]").click();
await page.screenshot({ path: FILE });
await stand.stop();
