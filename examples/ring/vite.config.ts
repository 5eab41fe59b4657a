import { defineConfig } from "vite";

/** Paths are relative, so that any server may serve `dist/` under any path. */
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    // The page's policy allows no inline script, and no image that is not a file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "simulator", test: /npm[\\/]dist[\\/]sim/ },
            // Only a live cluster is reached through it.
            { name: "client", test: /npm[\\/]dist[\\/]index/ },
          ],
        },
      },
    },
    // The simulator travels in its own file, which is large by design.
    chunkSizeWarningLimit: 2_000,
  },
});
