// The folder in which the projects run: their sources, the packed package as npm installs it, and
// above them the tools, which one lock file pins.

import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { transform } from "esbuild";

import { installPacked } from "../install.js";

/** Where the tools are. */
export const TOOLS = fileURLToPath(new URL("tools/", import.meta.url));
const PROJECTS = fileURLToPath(new URL("projects", import.meta.url));
/** Where the projects run: below the tools, which they so find. */
export const WORK = `${TOOLS}work`;

/** No project takes longer for anything. */
const TIMEOUT_MS = 120_000;

// Before anything else: the list of environments names the versions of the tools.
await installTools();

/** Makes the folder anew. */
export async function prepare(): Promise<void> {
  await rm(WORK, { recursive: true, force: true });
  await cp(PROJECTS, WORK, { recursive: true });
  await installPacked(WORK);
  const shared = `${WORK}/shared/round-trip`;
  const { code } = await transform(await readFile(`${shared}.js`), { format: "cjs" });
  await writeFile(`${shared}.cjs`, code);
}

/** Installs the tools, unless they are there. */
async function installTools(): Promise<void> {
  const modified = (file: string) =>
    stat(TOOLS + file).then(({ mtimeMs }) => mtimeMs, () => 0);
  const installed = await modified("node_modules/.package-lock.json");
  if (installed >= (await modified("package-lock.json"))) return;
  await promisify(execFile)("npm", ["ci", "--prefer-offline"], { cwd: TOOLS });
}

/** A tool as the table names it: with the number that changes when it breaks what used it. */
export function named(name: string, tool: string): string {
  const manifest = JSON.parse(readFileSync(`${TOOLS}node_modules/${tool}/package.json`, "utf8")) as {
    version: string;
  };
  const [major, minor] = manifest.version.split(".");
  return `${name} ${major === "0" ? `0.${minor}` : major}`;
}

/** The path of a tool's program. */
export const program = (path: string): string => `${TOOLS}node_modules/${path}`;

/** Runs a script of a project with Node.js and returns what it prints; what it complains of, too. */
export async function script(
  project: string,
  given: string[],
  environment: NodeJS.ProcessEnv = {},
  node = process.execPath,
): Promise<string> {
  const options = { cwd: `${WORK}/${project}`, env: environmentOf(environment), timeout: TIMEOUT_MS };
  const { stdout, stderr } = await promisify(execFile)(node, given, options).catch((error) => {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${project}: ${given.join(" ")} failed:\n${stdout}${stderr}`);
  });
  return `${stdout}${stderr}`.trim();
}

/** A server of a project. It prints its port in a line of which `ready` takes that out. */
export class Server {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  static async start(project: string, command: string[], ready: RegExp): Promise<Server> {
    const options = { cwd: `${WORK}/${project}`, env: environmentOf({}), timeout: TIMEOUT_MS };
    const [program, ...given] = command as [string, ...string[]];
    const child = spawn(program, given, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    const told: string[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      const read = (line: string) => {
        told.push(line);
        const found = ready.exec(line)?.[1];
        if (found !== undefined) resolve(`http://127.0.0.1:${found}/`);
      };
      createInterface({ input: child.stdout }).on("line", read);
      createInterface({ input: child.stderr }).on("line", read);
      child.once("exit", () => reject(new Error(`${project}: ended:\n${told.join("\n")}`)));
    });
    return new Server(child, url);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    await exited;
  }
}

/** Without colours, and without reports to the makers of tools. */
function environmentOf(added: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT, NODE_OPTIONS, ...inherited } = process.env;
  return { ...inherited, NO_COLOR: "1", FORCE_COLOR: "0", NEXT_TELEMETRY_DISABLED: "1", TOOLS, ...added };
}
