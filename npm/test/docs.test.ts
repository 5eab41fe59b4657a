// The reference of the package, made of its types: all of it is described, and no link leads nowhere.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

test("the reference builds without a warning", async () => {
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const typedoc = ["node_modules/typedoc/bin/typedoc", "--emit", "none"];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, typedoc, { cwd }).catch(
    (failed: { stdout: string; stderr: string }) => failed,
  );
  assert.equal(stdout + stderr, "");
});
