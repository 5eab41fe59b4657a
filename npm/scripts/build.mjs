// Builds `dist/` from `src/` and the module that `cargo xtask wasm` left in `wasm/client/`.
//
// The module travels inside the script, as gzip in base64: no second request, no path to get wrong.

import { build } from "esbuild";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

process.chdir(new URL("..", import.meta.url).pathname);

const module = "wasm/client/quorate_wasm_bg.wasm";
if (!existsSync(module)) {
  console.error(`npm/${module} is missing: build it with \`cargo xtask wasm\`.`);
  process.exit(1);
}

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
const packed = gzipSync(await readFile(module), { level: 9 }).toString("base64");
const options = {
  entryPoints: ["src/index.ts"],
  bundle: true,
  minify: true,
  keepNames: false,
  sourcemap: true,
  target: ["es2022"],
  platform: "neutral",
  define: { QUORATE_WASM: JSON.stringify(packed) },
  logLevel: "warning",
};
await build({ ...options, format: "esm", outfile: "dist/index.js" });
await build({ ...options, format: "cjs", outfile: "dist/index.cjs" });

// Types stand once, in `src/public.d.ts`: one file, without imports, serves both conditions.
const types = await readFile("src/public.d.ts", "utf8");
await writeFile("dist/index.d.ts", types);
await writeFile("dist/index.d.cts", types);
await copyFile(module, "dist/client.wasm");
