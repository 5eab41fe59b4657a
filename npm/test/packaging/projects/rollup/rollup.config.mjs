import { nodeResolve } from "@rollup/plugin-node-resolve";

export default {
  input: "../page/page.js",
  output: { file: "dist/page.js", format: "es" },
  plugins: [nodeResolve({ browser: true })],
};
