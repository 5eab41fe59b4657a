// Pages of projects in headless Chromium, and a plain server for what was built.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

import type { Browser } from "playwright-core";

/** All that a page of this package needs. */
const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws:";

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves a folder under a strict Content-Security-Policy; `index.html` may come from elsewhere. */
export class FileServer {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  static async start(folder: string, index = join(folder, "index.html")): Promise<FileServer> {
    const server = createServer(({ url }, response) => {
      const { pathname } = new URL(url ?? "/", "http://localhost");
      const path = pathname === "/" ? index : join(folder, normalize(pathname));
      const type = TYPES[extname(path)] ?? "application/octet-stream";
      readFile(path).then(
        (body) =>
          response.writeHead(200, { "content-type": type, "content-security-policy": STRICT }).end(body),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new FileServer(server);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Opens a page and returns what its title tells, once it does. */
export async function outcome(browser: Browser, url: string, query: Record<string, string>): Promise<string> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  try {
    await page.goto(`${url}?${new URLSearchParams(query)}`);
    await page.waitForFunction(() => /^(done|failed): /.test(document.title));
    return [await page.title(), ...complaints].join("\n");
  } catch (error) {
    throw new Error([`${url}: no outcome`, ...complaints, String(error)].join("\n"));
  } finally {
    await page.close();
  }
}
