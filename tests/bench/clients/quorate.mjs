// The npm package `quorate`.
//
// A put supersedes what this client last wrote under its key: each key's context is kept. Puts of
// one key that are under way at the same time leave siblings; a get that is shown them hands their
// context to the next put of the key, which resolves them.

import { connect } from "quorate";

export async function open({ servers, keys, routing, coordinate }) {
  const client = await connect({ seeds: servers, routing, coordinate });
  const contexts = new Array(keys).fill(undefined);
  let siblingsMax = 0;
  return {
    async get(key, index) {
      const entry = await client.get(key);
      if (entry === undefined) return undefined;
      if (entry.siblings.length > 1) contexts[index] = entry.context;
      return entry.text();
    },
    async put(key, value, index) {
      const written = await client.put(key, value, { context: contexts[index] });
      contexts[index] = written.context;
      if (written.siblings > siblingsMax) siblingsMax = written.siblings;
    },
    close: () => client.close(),
    siblingsMax: () => siblingsMax,
  };
}
