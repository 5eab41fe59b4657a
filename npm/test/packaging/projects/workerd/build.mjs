// As wrangler does it: the conditions of workerd, and modules of WebAssembly left as they are.

import { build } from "esbuild";

await build({
  entryPoints: ["worker.js"],
  bundle: true,
  format: "esm",
  conditions: ["workerd", "worker", "browser"],
  loader: { ".wasm": "copy" },
  assetNames: "[name]",
  outdir: "dist",
  logLevel: "warning",
});
