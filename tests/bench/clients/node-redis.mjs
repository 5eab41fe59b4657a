// Redis Cluster through node-redis: a put is acknowledged by one master.

import { createCluster } from "redis";

export async function open({ servers }) {
  const cluster = createCluster({ rootNodes: servers.map((url) => ({ url })) });
  await cluster.connect();
  return {
    async get(key) {
      return (await cluster.get(key)) ?? undefined;
    },
    put: (key, value) => cluster.set(key, value),
    close: () => cluster.close(),
  };
}
