// The programs of the project that tests run.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** A program: what a variable names, else what cargo built last with most effort. */
function program(name: string, variable: string, crate: string): string {
  const built = ["release", "debug"].map((profile) => fileURLToPath(new URL(`../../../target/${profile}/${name}`, import.meta.url)));
  const found = [process.env[variable] ?? "", ...built].find((path) => existsSync(path));
  assert.ok(found, `The binary ${name} is missing: build it with \`cargo build -p ${crate}\`, or set ${variable} to its path.`);
  return found;
}

export function nodeBinary(): string {
  return program("quorate", "QUORATE_BIN", "quorate-node");
}

/** What a program prints. */
async function printed(path: string, options: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(path, options);
  return stdout;
}

export function quorate(...options: string[]): Promise<string> {
  return printed(nodeBinary(), options);
}

export function simulate(...options: string[]): Promise<string> {
  return printed(program("quorate-simulate", "QUORATE_SIMULATE", "quorate-simulate"), options);
}
