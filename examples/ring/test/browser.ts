// The built page, served from loopback, in headless Chromium.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import type { Duplex } from "node:stream";
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
/** A node behind the page: what it tells of its cluster, and where its WebSocket is. */
export interface Behind {
  readonly port: number;
  cluster(): Promise<string>;
}

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));

export class Stand {
  readonly browser: Browser;
  readonly url: string;
  /** Errors that nobody caught, and what the page's policy forbade. */
  readonly complaints: string[] = [];
  readonly #server: Server;

  private constructor(browser: Browser, server: Server) {
    this.browser = browser;
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  /** Serves the page; with a node behind it, as that node would. */
  static async start(behind?: Behind): Promise<Stand> {
    const server = createServer((request, response) => {
      if (request.url === "/v1/cluster") return void tell(behind, response);
      const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
      const file = join(DIST, path === "/" ? "index.html" : path);
      readFile(file).then(
        (body) => response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "" }).end(body),
        () => response.writeHead(404).end(),
      );
    });
    if (behind) server.on("upgrade", (request, socket, head) => pass(behind.port, request, socket, head));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const executablePath = process.env.CHROME_BIN ?? process.env.CHROMIUM ?? "/usr/bin/chromium";
    return new Stand(await chromium.launch({ executablePath, args: FLAGS }), server);
  }

  /** A page in a profile of its own, once it has drawn its ring. */
  async open(path = "", options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    await page.goto(this.url + path);
    await page.locator("main[aria-busy=false]").waitFor();
    await page.locator(".slot").first().waitFor();
    return page;
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Whoever serves the page and is no node says so quietly: else the browser would log an error. */
async function tell(behind: Behind | undefined, response: ServerResponse): Promise<void> {
  if (!behind) return void response.writeHead(204).end();
  try {
    response.writeHead(200, { "content-type": "application/json" }).end(await behind.cluster());
  } catch (error) {
    response.writeHead(503, { "content-type": "text/plain" }).end(String(error));
  }
}

/** A WebSocket of the page goes on to the node, as if the node had served the page. */
function pass(port: number, { method, url, rawHeaders }: IncomingMessage, socket: Duplex, head: Buffer): void {
  const node = connect(port, "127.0.0.1", () => {
    const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []));
    node.write(`${method} ${url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    node.write(head);
    node.pipe(socket).pipe(node);
  });
  node.on("error", () => socket.destroy());
  socket.on("error", () => node.destroy());
}
