// What the package costs a page stays within its budget, and the README tells it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

test("the package is no larger than its budget", async (context) => {
  const script = fileURLToPath(new URL("../scripts/size.mjs", import.meta.url));
  const { stdout, failed } = await promisify(execFile)(process.execPath, [script]).then(
    ({ stdout }) => ({ stdout, failed: "" }),
    ({ stdout, stderr }: { stdout: string; stderr: string }) => ({ stdout, failed: stderr }),
  );
  for (const line of stdout.trimEnd().split("\n")) context.diagnostic(line);
  assert.equal(failed, "");
});
