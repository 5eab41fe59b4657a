// What the test calls inside the page.

import { QuorateError, connect } from "/quorate/index.js";
import { replay } from "/quorate/sim.js";

let client;

globalThis.page = {
  connect: async (seeds) => {
    client = await connect({ seeds });
    return client.stats().connected.length;
  },
  roundTrip: async (keys) => {
    await Promise.all(keys.map((key) => client.put(key, `value of ${key}`)));
    const entries = await Promise.all(keys.map((key) => client.get(key)));
    return entries.map((entry) => entry?.text());
  },
  locate: (keys) =>
    keys.map((key) => {
      const { position, slot, nodes } = client.locate(key);
      return { position, slot, nodes: nodes.map(({ id }) => id) };
    }),
  receipt: async (key) => (await client.get(key, { receipt: true })).receipt,
  failure: async (seeds) => {
    const error = await connect({ seeds, timeout: 500 }).catch((reason) => reason);
    return { known: error instanceof QuorateError, code: error.code, message: error.message };
  },
  traces: async (seeds, operations) => {
    const traces = [];
    for (let seed = 0; seed < seeds; seed += 1) {
      traces.push((await replay(seed, { operations })).trace);
    }
    return traces;
  },
  stats: () => client.stats(),
  ping: async () => (await client.ping()).size,
  close: () => client.close(),
};
