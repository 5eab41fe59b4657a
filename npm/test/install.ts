// Packs the package and installs it into a new project, as npm would for a user.

import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The folder of the project: the one that is given, or a new one, which the caller removes. */
export async function installPacked(folder?: string): Promise<string> {
  const project = folder ?? (await mkdtemp(join(tmpdir(), "quorate-packed-")));
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", project], { cwd });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await writeFile(join(project, "package.json"), '{ "private": true, "type": "module" }');
  const install = ["install", "--offline", "--no-audit", "--no-fund", `./${filename}`];
  await run("npm", install, { cwd: project });
  return project;
}
