// etcd through etcd3: a put is synced by two of three before it is acknowledged, a get is
// linearizable.

import { Etcd3 } from "etcd3";

export async function open({ servers }) {
  const client = new Etcd3({ hosts: servers });
  return {
    async get(key) {
      return (await client.get(key).string()) ?? undefined;
    },
    put: (key, value) => client.put(key).value(value),
    async fill(pairs) {
      const success = pairs.map(([key, value]) => ({
        request_put: { key: Buffer.from(key), value: Buffer.from(value) },
      }));
      await client.kv.txn({ success });
    },
    close: () => client.close(),
  };
}
