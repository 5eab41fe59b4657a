import { build } from "esbuild";

const bundled = { bundle: true, format: "esm", outdir: "dist", logLevel: "warning" };
await build({ ...bundled, entryPoints: ["../page/page.js"], entryNames: "page" });
await build({ ...bundled, entryPoints: ["../node/import.mjs"], entryNames: "node", platform: "node" });
