// Every example of the READMEs runs, against real nodes, and prints what it says it prints.
//
// A block of JavaScript is a module. One that makes no client of its own is given one, and after
// `<!-- with: CODE -->` in front of it, which no reader sees, it is given that, too. `// TEXT` behind a
// `console.log` is what that prints.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { build } from "esbuild";
import type { Plugin } from "esbuild";

import { Cluster } from "./cluster.js";
import { installPacked } from "./install.js";

const root = fileURLToPath(new URL("..", import.meta.url));

let cluster: Cluster;
let project: string;

before(async () => {
  [cluster, project] = await Promise.all([Cluster.start(), installPacked()]);
  await symlink(join(root, "node_modules/ws"), join(project, "node_modules/ws"));
});

after(async () => {
  await cluster?.stop();
  if (project) await rm(project, { recursive: true, force: true });
});

interface Block {
  /** For people: the heading above it, and its number in the page. */
  name: string;
  language: string;
  given: string;
  code: string;
}

function blocks(page: string, text: string): Block[] {
  const found: Block[] = [];
  let heading = page;
  const parts = /^#+ (.+)$|(?:^<!-- with: (.+) -->\n)?^```(\w+)\n([^]*?)^```$/gm;
  for (const [, title, given = "", language, code] of text.matchAll(parts)) {
    if (title !== undefined) heading = `${page}: ${title}`;
    else found.push({ name: `${heading}, block ${found.length + 1}`, language: language ?? "", given, code: code ?? "" });
  }
  return found;
}

/** What a bundler makes of `?url`. */
const asUrl: Plugin = {
  name: "as-url",
  setup({ onResolve }) {
    onResolve({ filter: /\.wasm\?url$/ }, ({ path }) => ({
      path: join(project, "node_modules", path.replace("/", "/dist/").replace("?url", "")),
    }));
    onResolve({ filter: /^quorate(\/\w+)?$/ }, () => ({ external: true }));
  },
};

function module({ given, code }: Block): string {
  const seed = cluster.seeds[0] as string;
  const placed = code.replace(/wss?:\/\/(127\.0\.0\.1:7101|node\.example)/, seed);
  if (/\b(connect|play|simulate)\b.* from "quorate/.test(code)) {
    const leavesOpen = code.includes("const client = await connect(") && !code.includes("client.close(");
    return leavesOpen ? `${placed}\nawait client.close();` : placed;
  }
  return [
    'import { connect } from "quorate";',
    `const client = await connect({ seeds: ["${seed}"] });`,
    given,
    placed,
    "await client.close();",
  ].join("\n");
}

async function run(block: Block): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: module(block), resolveDir: project },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20",
    loader: { ".wasm": "dataurl" },
    plugins: [asUrl],
  });
  await writeFile(join(project, "block.mjs"), outputFiles[0]?.contents ?? "");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["block.mjs"], { cwd: project, timeout: 60_000 });
  assert.equal(stderr, "");
  return stdout;
}

for (const page of ["npm/README.md", "README.md"]) {
  const text = await readFile(join(root, "..", page), "utf8");
  const found = blocks(page, text).filter(({ language }) => /^(js|ts|javascript|typescript|mjs)$/.test(language));
  test(`${page} has examples`, () => assert.ok(found.length > 0));
  for (const block of found) {
    test(block.name, async () => {
      const printed = await run(block);
      const promised = [...block.code.matchAll(/^\s*console\.log\(.*\);[ \t]*\/\/ (.+)$/gm)].map(([, what]) => what);
      if (promised.length > 0) assert.equal(printed, `${promised.join("\n")}\n`);
    });
  }
}
