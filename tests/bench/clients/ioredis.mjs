// Redis Cluster through ioredis: a put is acknowledged by one master.

import { Cluster } from "ioredis";

export const open = ({ servers }) => connect(servers, {});

export async function connect(servers, options) {
  const cluster = new Cluster(servers.map(parse), options);
  await new Promise((resolve, reject) => cluster.once("ready", resolve).once("error", reject));
  return {
    cluster,
    async get(key) {
      return (await cluster.get(key)) ?? undefined;
    },
    put: (key, value) => cluster.set(key, value),
    close: () => cluster.disconnect(),
  };
}

function parse(server) {
  const { hostname, port } = new URL(server);
  return { host: hostname, port: Number(port) };
}
