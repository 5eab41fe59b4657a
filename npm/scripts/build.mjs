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
  { name: "sim", module: "sim", source: "src/sim/index.ts", types: "src/sim/public.d.ts" },
];
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
  const options = {
    entryPoints: [source],
    bundle: true,
    minify: true,
    keepNames: false,
    sourcemap: true,
    target: ["es2022"],
    platform: "neutral",
    define: {
      [module === "client" ? "QUORATE_WASM" : "QUORATE_SIM_WASM"]: JSON.stringify(packed),
    },
    logLevel: "warning",
  };
  await build({ ...options, format: "esm", outfile: `dist/${name}.js` });
  await build({ ...options, format: "cjs", outfile: `dist/${name}.cjs` });
  // Types stand once: one file serves both conditions, but for the name of the one that it imports.
  const face = await readFile(types, "utf8");
  await writeFile(`dist/${name}.d.ts`, face.replaceAll("./public.js", "./index.js"));
  await writeFile(`dist/${name}.d.cts`, face.replaceAll("./public.js", "./index.cjs"));
}
await copyFile(path("client"), "dist/client.wasm");
