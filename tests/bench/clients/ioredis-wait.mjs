// The same with two copies: a put is SET, and then WAIT 1 on the same connection to the key's
// master, which answers once a replica has what was written on that connection.

import { connect } from "./ioredis.mjs";

const WAIT_MS = 5_000;

export async function open({ servers }) {
  const client = await connect(servers, {});
  const { cluster } = client;
  return {
    ...client,
    async put(key, value) {
      const [[failed, ok], [failedToWait, replicas]] = await cluster
        .pipeline()
        .set(key, value)
        .wait(1, WAIT_MS)
        .exec();
      if (failed ?? failedToWait) throw failed ?? failedToWait;
      if (ok !== "OK" || replicas < 1) throw new Error(`${key} was not stored twice`);
    },
    async fill(pairs) {
      await Promise.all(pairs.map(([key, value]) => cluster.set(key, value)));
    },
  };
}
