// The built page, served from loopback, in headless Chromium.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));

export class Stand {
  readonly browser: Browser;
  readonly url: string;
  /** Errors that nobody caught, and what the page's policy forbade. */
  readonly complaints: string[] = [];
  readonly #server: Server | undefined;

  private constructor(browser: Browser, url: string, server?: Server) {
    this.browser = browser;
    this.url = url;
    this.#server = server;
  }

  /** Serves the page as a host that is no node. */
  static async start(): Promise<Stand> {
    const server = createServer((request, response) => {
      // Who is no node says so quietly here: else the browser would log an error.
      if (request.url === "/v1/cluster") return void response.writeHead(204).end();
      const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
      const file = join(DIST, path === "/" ? "index.html" : path);
      readFile(file).then(
        (body) => response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "" }).end(body),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    return new Stand(await launch(), `http://127.0.0.1:${port}/`, server);
  }

  /** Opens what somebody else serves. */
  static async at(url: string): Promise<Stand> {
    return new Stand(await launch(), url);
  }

  /** A page in a profile of its own, once it has drawn its ring. */
  async open(path = "", options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    await page.goto(new URL(path, this.url).href);
    await page.locator("main[aria-busy=false]").waitFor();
    await page.locator(".slot").first().waitFor();
    return page;
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(undefined)));
  }
}

function launch(): Promise<Browser> {
  const executablePath = process.env.CHROME_BIN ?? process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: FLAGS });
}
