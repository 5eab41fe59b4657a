// Where the package must run, each a project of its own. The README's table is made of this list.

import { cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, platform } from "node:process";

import type { Browser } from "playwright-core";

import { FileServer, outcome } from "./pages.js";
import { Server, WORK, named, program, script } from "./workspace.js";

/** What a project may use. */
export interface Given {
  browser: Browser;
  /** The key that it must write. */
  environment: string;
  /** The address of a node. */
  seed: string;
}

export interface Environment {
  /** What the table names: who, how, and where it runs. */
  tool: string;
  use: string;
  runs: string;
  /** Builds and runs the project; resolves to what it read. */
  run(given: Given): Promise<string>;
}

const NODE_NEWER = program(`node-24-${platform}-${arch}/bin/node`);
const NODE = `Node.js ${process.versions.node.split(".")[0]}`;
const CHROMIUM = "Chromium";
const STRICT = "Chromium, strict CSP";

/** A script run by a Node.js. */
function node(file: string, program?: string) {
  return ({ seed, environment }: Given) =>
    script("node", [file], { SEED: seed, ENVIRONMENT: environment }, program);
}

/** A test runner, which says itself what is wrong. */
function runner(project: string, ...command: string[]) {
  return async ({ seed, environment }: Given) => {
    await script(project, command, { SEED: seed, ENVIRONMENT: environment });
    return `written by ${environment}`;
  };
}

/** A page that is served from a folder. */
async function page({ browser, ...query }: Given, folder: string, index?: string): Promise<string> {
  const server = await FileServer.start(`${WORK}/${folder}`, index && `${WORK}/${index}`);
  try {
    return await told(browser, server.url, query);
  } finally {
    server.stop();
  }
}

async function told(browser: Browser, url: string, query: Record<string, string>): Promise<string> {
  const title = await outcome(browser, url, query);
  return title.replace(/^done: /, "");
}

/** A page that was built by a command, which must have nothing to say. */
function bundled(project: string, ...command: string[]) {
  return async (given: Given) => {
    const complaints = await script(project, command);
    if (complaints) throw new Error(complaints);
    return page(given, `${project}/dist`, "page/index.html");
  };
}

const VITE = program("vite/bin/vite.js");

/** A page that Vite builds. */
function vite(project: string) {
  return async (given: Given) => {
    if (project !== "page") await cp(`${WORK}/page/index.html`, `${WORK}/${project}/index.html`);
    await script(project, [VITE, "build"]);
    return page(given, `${project}/dist`);
  };
}

/** What a server of a project answers to a request. */
async function answer(url: string, { seed, environment }: Given): Promise<string> {
  const response = await fetch(`${url}?${new URLSearchParams({ seed, environment })}`);
  return response.text();
}

/** A server of a project, for as long as it is asked. */
async function served(
  project: string,
  command: string[],
  ready: RegExp,
  ask: (url: string) => Promise<string>,
): Promise<string> {
  const server = await Server.start(project, command, ready);
  try {
    return await ask(server.url);
  } finally {
    await server.stop();
  }
}

const NEXT = program("next/dist/bin/next");
const nextServed = (ask: (url: string) => Promise<string>) =>
  served("next", [process.execPath, NEXT, "start", "-H", "127.0.0.1", "-p", "0"], /http:\/\/127\.0\.0\.1:(\d+)/, ask);

/** The program itself: a signal for the script that starts it would not reach it. */
const WORKERD = (createRequire(import.meta.url)(program("workerd")) as { default: string }).default;

export const ENVIRONMENTS: Environment[] = [
  { tool: NODE, use: "`import`", runs: "script", run: node("import.mjs") },
  { tool: NODE, use: "`require`", runs: "script", run: node("require.cjs") },
  { tool: "Node.js 24", use: "`import`", runs: "script", run: node("import.mjs", NODE_NEWER) },
  { tool: "Node.js 24", use: "`require`", runs: "script", run: node("require.cjs", NODE_NEWER) },
  { tool: "no bundler", use: "`import`", runs: STRICT, run: (given) => page(given, ".", "csp/index.html") },
  { tool: named("esbuild", "esbuild"), use: "bundle", runs: STRICT, run: bundled("esbuild", "build.mjs") },
  {
    tool: named("esbuild", "esbuild"),
    use: "bundle for Node.js",
    runs: NODE,
    run: ({ seed, environment }) =>
      script("esbuild", ["dist/node.js"], { SEED: seed, ENVIRONMENT: environment }),
  },
  { tool: named("webpack", "webpack"), use: "bundle", runs: STRICT, run: bundled("webpack", "build.mjs") },
  {
    tool: named("rollup", "rollup"),
    use: "bundle",
    runs: STRICT,
    run: bundled("rollup", program("rollup/dist/bin/rollup"), "--silent", "-c", "rollup.config.mjs"),
  },
  {
    tool: named("Vite", "vite"),
    use: "`vite dev`",
    runs: CHROMIUM,
    run: ({ browser, ...query }) =>
      served("page", [process.execPath, VITE, "dev", "--host", "127.0.0.1", "--port", "0"], /127\.0\.0\.1:(\d+)/, (url) =>
        told(browser, url, query),
      ),
  },
  { tool: named("Vite", "vite"), use: "`vite build`", runs: STRICT, run: vite("page") },
  {
    tool: named("Vite", "vite"),
    use: "`quorate/slim` with `quorate/client.wasm?url`",
    runs: STRICT,
    run: vite("vite-slim"),
  },
  { tool: named("Vite", "vite"), use: "in a web worker", runs: STRICT, run: vite("worker") },
  {
    tool: named("Vitest", "vitest"),
    use: "`import` in a test",
    runs: NODE,
    run: runner("vitest", program("vitest/vitest.mjs"), "run"),
  },
  {
    tool: named("Jest", "jest"),
    use: "`require` in a test",
    runs: NODE,
    run: runner("jest", program("jest/bin/jest.js"), "-c", "jest.config.json"),
  },
  {
    tool: named("Next.js", "next"),
    use: "a route of the server",
    runs: NODE,
    run: async (given) => {
      await script("next", [NEXT, "build"]);
      return nextServed((url) => answer(`${url}api`, given));
    },
  },
  {
    tool: named("Next.js", "next"),
    use: "a component of the client",
    runs: CHROMIUM,
    run: ({ browser, ...query }) => nextServed((url) => told(browser, url, query)),
  },
  {
    tool: "workerd",
    use: "`import`, bundled by esbuild",
    runs: "workerd",
    run: async (given) => {
      await script("workerd", ["build.mjs"]);
      const serve = ["serve", "config.capnp", "--control-fd=1"];
      return served("workerd", [WORKERD, ...serve], /"port":(\d+)/, async (url) => {
        // What one request has loaded serves the next one.
        await answer(url, given);
        return answer(url, given);
      });
    },
  },
];
