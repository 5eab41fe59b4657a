// A client of one node that is no Rust.

import { connect } from "quorate";
import type { Client, ConnectOptions } from "quorate";

import { FakeNode } from "./fake-node.js";

/** Runs with both, and ends both. */
export async function withNode(
  run: (node: FakeNode, client: Client) => Promise<void>,
  options: Partial<ConnectOptions> = {},
): Promise<void> {
  const node = await FakeNode.start();
  try {
    await using client = await connect({ seeds: [node.url], ...options });
    await run(node, client);
  } finally {
    await node.stop();
  }
}
