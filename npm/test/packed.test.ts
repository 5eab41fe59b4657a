// The packed tarball, installed as users install it: what is tested is what is published.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { FakeNode } from "./fake-node.js";
import { installPacked } from "./install.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
let project: string;
let node: FakeNode;

before(async () => {
  project = await installPacked();
  // The optional peer, from our own development dependencies.
  await symlink(join(root, "node_modules/ws"), join(project, "node_modules/ws"));
  node = await FakeNode.start();
});

after(async () => {
  await node?.stop();
  await rm(project, { recursive: true, force: true });
});

/** Runs a script in the project and returns what it prints. */
async function script(name: string, source: string): Promise<string> {
  await writeFile(join(project, name), source);
  const { stdout, stderr } = await run(process.execPath, [name, node.url], { cwd: project, timeout: 20_000 });
  assert.equal(stderr, "");
  return stdout;
}

const USE = `
  const client = await connect({ seeds: [process.argv[2]] });
  await client.put("greeting", "hello");
  console.log((await client.get("greeting")).text(), QuorateError.name.length > 0);
  await client.close();
`;

test("import works, and the process ends by itself after close", async () => {
  const out = await script("use.mjs", `import { connect, QuorateError } from "quorate";${USE}`);
  assert.equal(out, "hello true\n");
});

test("require works", async () => {
  const out = await script(
    "use.cjs",
    `const { connect, QuorateError } = require("quorate"); (async () => {${USE}})();`,
  );
  assert.equal(out, "hello true\n");
});

test("a process without a WebSocket class is told what to do", async (context) => {
  if ("WebSocket" in globalThis) return context.skip("this Node.js has one");
  const bare = await mkdtemp(join(tmpdir(), "quorate-bare-"));
  await cp(join(project, "node_modules/quorate"), join(bare, "node_modules/quorate"), { recursive: true });
  await writeFile(
    join(bare, "use.mjs"),
    `import { connect } from "quorate";
     connect({ seeds: ["ws://127.0.0.1:1"] }).catch(({ code, message }) => console.log(code, message));`,
  );
  const { stdout } = await run(process.execPath, ["use.mjs"], { cwd: bare });
  assert.match(stdout, /^NO_WEBSOCKET .*npm install ws/);
  await rm(bare, { recursive: true });
});

const SLIM = `
  const bytes = readFileSync(require.resolve("quorate/client.wasm"));
  const failed = (wasm) => connect({ seeds: [process.argv[2]], wasm }).catch(({ code, message }) => console.log(code, message));
  const works = async (wasm) => {
    const client = await connect({ seeds: [process.argv[2]], wasm });
    await client.put("greeting", "hello");
    console.log((await client.get("greeting")).text());
    await client.close();
  };
  await failed(undefined);
  await failed(bytes.subarray(0, 100));
  await works(SOURCE);
`;

for (const [what, source] of [
  ["bytes", "bytes"],
  ["compiled module", "await WebAssembly.compile(bytes)"],
  ["URL", 'new URL("data:application/wasm;base64," + bytes.toString("base64"))'],
  ["text of a URL", '"data:application/wasm;base64," + bytes.toString("base64")'],
  ["response", 'new Response(bytes, { headers: { "content-type": "application/wasm" } })'],
  ["promise of bytes", "Promise.resolve(bytes)"],
]) {
  test(`the slim entry takes the module as ${what}, and says what it lacks`, async () => {
    const use = SLIM.replace("SOURCE", source as string);
    const wanted = /^BAD_ARGUMENT .*quorate\/client\.wasm.*\nWASM_BLOCKED .*could not be started: .*\nhello\n$/;
    const imported = await script(
      "slim.mjs",
      `import { readFileSync } from "node:fs"; import { createRequire } from "node:module";
       import { connect } from "quorate/slim"; const require = createRequire(import.meta.url); ${use}`,
    );
    assert.match(imported, wanted);
    const required = await script(
      "slim.cjs",
      `const { readFileSync } = require("node:fs"); const { connect } = require("quorate/slim");
       (async () => { ${use} })();`,
    );
    assert.match(required, wanted);
  });
}

test("the module is there as a file, too", async () => {
  const out = await script(
    "module.mjs",
    `import { createRequire } from "node:module"; import { readFileSync } from "node:fs";
     const path = createRequire(import.meta.url).resolve("quorate/client.wasm");
     console.log(WebAssembly.validate(readFileSync(path)));`,
  );
  assert.equal(out, "true\n");
});

test("publint finds nothing to say", async () => {
  const { messages, pkg } = await publint({ pkgDir: join(project, "node_modules/quorate"), strict: true });
  assert.deepEqual(messages.map((message) => formatMessage(message, pkg as object)), []);
});

test("the types resolve in every way that TypeScript knows", async () => {
  const archive = (await readdir(project)).find((name) => name.endsWith(".tgz"));
  const tarball = createPackageFromTarballData(await readFile(join(project, archive as string)));
  // A module of WebAssembly is no script.
  const analysis = await checkPackage(tarball, { excludeEntrypoints: ["./client.wasm"] });
  assert.ok(analysis.types);
  // Node.js 10 knows no `exports`: of the entries it finds the first alone.
  const found = analysis.problems.filter((one) => !("resolutionKind" in one && one.resolutionKind === "node10"));
  assert.deepEqual(found, []);
});

test("only what is needed is packed, and nothing in it looks for files", async () => {
  const packed = join(project, "node_modules/quorate");
  assert.deepEqual((await readdir(packed)).sort(), ["README.md", "dist", "package.json"]);
  const manifest = JSON.parse(await readFile(join(packed, "package.json"), "utf8")) as { dependencies?: object };
  assert.deepEqual(manifest.dependencies ?? {}, {});
  for (const name of ["index.js", "index.cjs", "slim.js", "slim.cjs"]) {
    const code = await readFile(join(packed, "dist", name), "utf8");
    assert.ok(!code.includes("import.meta"), name);
    assert.ok(code.includes(`sourceMappingURL=${name}.map`), name);
  }
});

for (const [name, module, resolution, extension] of [
  ["Node.js, ES modules", "NodeNext", "NodeNext", "mts"],
  ["Node.js, CommonJS", "NodeNext", "NodeNext", "cts"],
  ["bundlers", "ESNext", "Bundler", "ts"],
] as const) {
  test(`the types guide: ${name}`, async () => {
    const file = `types.${extension}`;
    await cp(join(root, "test/types/use.ts"), join(project, file));
    const options = ["--noEmit", "--strict", "--target", "ES2022"];
    const { stdout } = await run(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), ...options, "--module", module, "--moduleResolution", resolution, file],
      { cwd: project },
    ).catch((error: { stdout: string }) => error);
    assert.equal(stdout, "");
  });
}
