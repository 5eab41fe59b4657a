// Builds `dist/` from `src/` and the modules that `cargo xtask wasm` left in `wasm/`.
//
// A module travels inside its script, as gzip in base64: no second request, no path to get wrong.

import { build } from "esbuild";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

process.chdir(new URL("..", import.meta.url).pathname);

const entries = [
  { name: "index", module: "client", source: "src/index.ts", types: "src/public.d.ts" },
  { name: "slim", module: "client", source: "src/slim.ts", types: "src/slim.public.d.ts" },
  { name: "workerd", module: "client", source: "src/workerd.ts" },
  { name: "sim", module: "sim", source: "src/sim/index.ts", types: "src/sim/public.d.ts" },
];
// An import that bundlers leave alone says so in comments, which the minifier takes out. A name of the
// same length stands for it until then, so that the source map stays true.
const UNFOLLOWED = "import(/*@vite-ignore*//*webpackIgnore:true*/";
const STAND_IN = "IMPORT_UNFOLLOWED".padEnd(UNFOLLOWED.length - 1, "_");

/** Writes the import of the optional peer as a call of `name`. */
const importPeer = (name) => ({
  name: "import-peer",
  setup: ({ onLoad }) =>
    onLoad({ filter: /src\/peer\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      return { contents: source.replace("import(name)", `${name}(name)`), loader: "ts" };
    }),
});

const path = (module) => `wasm/${module}/quorate_wasm_bg.wasm`;
for (const { module } of entries) {
  if (!existsSync(path(module))) {
    console.error(`npm/${path(module)} is missing: build it with \`cargo xtask wasm\`.`);
    process.exit(1);
  }
}

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
for (const { name, module, source, types } of entries) {
  const packed = gzipSync(await readFile(path(module)), { level: 9 }).toString("base64");
  const write = (format, outfile, importing) =>
    build({
      entryPoints: [source],
      bundle: true,
      minify: true,
      keepNames: false,
      sourcemap: true,
      target: ["es2022"],
      platform: "neutral",
      // Beside the script, for whoever imports it.
      external: ["./client.wasm"],
      define: {
        [module === "client" ? "QUORATE_WASM" : "QUORATE_SIM_WASM"]: JSON.stringify(packed),
      },
      plugins: [importPeer(importing)],
      logLevel: "warning",
      format,
      outfile,
    });
  await write("esm", `dist/${name}.js`, STAND_IN);
  const script = await readFile(`dist/${name}.js`, "utf8");
  await writeFile(`dist/${name}.js`, script.replace(`${STAND_IN}(`, UNFOLLOWED));
  // An entry without types of its own is another form of `index`, for runtimes that know no CommonJS.
  if (types === undefined) continue;
  await write("cjs", `dist/${name}.cjs`, "require");
  // Types stand once: one file serves both conditions, but for the name of the one that it imports.
  const face = await readFile(types, "utf8");
  await writeFile(`dist/${name}.d.ts`, face.replaceAll("./public.js", "./index.js"));
  await writeFile(`dist/${name}.d.cts`, face.replaceAll("./public.js", "./index.cjs"));
}
await copyFile(path("client"), "dist/client.wasm");
