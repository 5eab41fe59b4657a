// Real nodes that die, and networks that lie: every operation ends, and what it says is true.

import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { after, before, test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { QuorateError, connect } from "quorate";
import type { Client } from "quorate";

import { pooled } from "./cluster.js";
import { Nodes } from "./nodes.js";
import { Proxy } from "./proxy.js";
import { Random } from "./random.js";

const NODES = 3;
/** For operations that may have to wait until nodes have started again. */
const PATIENT_MS = 60_000;
/** For operations that may fail. */
const HASTY_MS = 2_000;
/** For operations of which a harmed network lets some fail. */
const HURRIED_MS = 200;

const WHOLE_ATTEMPTS = 300;
const WHOLE_PAUSE_MS = 100;

const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));

let nodes: Nodes;

before(async () => {
  nodes = await Nodes.start(NODES);
  await using client = await connect({ seeds: nodes.addresses, timeout: PATIENT_MS });
  await client.put("ready", "yes");
});

after(async () => {
  await nodes?.stop();
  assert.deepEqual(rejections, []);
});

/** Listens on a free port of this machine. */
async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What is told of each write, and whether that is true. */
class Writes {
  readonly #outcomes = new Map<string, "stored" | "none" | "unknown">();

  /** Each key is written once: `key` is the value, too. */
  async put(client: Client, key: string, size = 0): Promise<void> {
    assert.ok(!this.#outcomes.has(key), key);
    const outcome = await client.put(key, key.padEnd(size)).then(
      () => "stored" as const,
      (error: unknown) => {
        assert.ok(error instanceof QuorateError, String(error));
        return error.outcome;
      },
    );
    assert.ok(!this.#outcomes.has(key), `${key} ended twice`);
    this.#outcomes.set(key, outcome);
  }

  tell(context: TestContext): void {
    const counts = ["stored", "unknown", "none"].map((outcome) => `${outcome} ${this.count(outcome)}`);
    context.diagnostic(counts.join(", "));
  }

  count(outcome: string): number {
    return [...this.#outcomes.values()].filter((one) => one === outcome).length;
  }

  /** Reads everything back, straight from nodes that are all up. */
  async verify(): Promise<void> {
    await using client = await connect({ seeds: nodes.addresses, timeout: PATIENT_MS });
    await pooled([...this.#outcomes], 64, async ([key, outcome]) => {
      const values = (await client.get(key))?.siblings.map((one) => one.text().trimEnd());
      if (outcome === "stored") assert.deepEqual(values, [key], `${key} was acknowledged`);
      else if (outcome === "none") assert.equal(values, undefined, `${key} was refused`);
      else assert.ok(values === undefined || values.join() === key, `${key} may be there`);
    });
  }
}

const keys = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name} ${index}`);

test("dead seeds are passed over, whatever they are dead of", async () => {
  const refused = createServer();
  const closed = await listening(refused);
  await new Promise((resolve) => refused.close(resolve));
  const hole = createServer(() => {});
  const chatter = createServer((socket) => socket.on("error", () => {}).end("220 mail.example ESMTP\r\n"));
  const web = createHttpServer((_, response) => response.end("<p>hello</p>"));
  const servers = [hole, chatter, web];
  const dead = [closed, ...(await Promise.all(servers.map(listening)))];
  try {
    for (let turn = 0; turn < dead.length; turn += 1) {
      const seeds = [...dead.slice(turn), ...dead.slice(0, turn), nodes.addresses[0] as string];
      await using client = await connect({ seeds, timeout: PATIENT_MS });
      await client.put(`seeds ${turn}`, "stored");
      assert.equal((await client.get(`seeds ${turn}`))?.text(), "stored");
    }
    const error: QuorateError = await connect({ seeds: dead, timeout: 500 }).then(
      () => assert.fail("nobody is there"),
      (reason) => reason as QuorateError,
    );
    assert.equal(error.code, "UNREACHABLE");
    for (const seed of dead) assert.ok(error.message.includes(seed), error.message);
  } finally {
    for (const server of servers) server.close();
    web.closeAllConnections();
  }
});

test("all nodes die under a thousand operations and come back", async (context) => {
  await using client = await connect({ seeds: nodes.addresses, timeout: PATIENT_MS });
  const writes = new Writes();
  const before = keys("before", 300);
  await pooled(before, 64, (key) => writes.put(client, key));
  assert.equal(writes.count("stored"), before.length);
  const under = dying(client, writes, keys("while they die", 400));
  await under.dead;
  const down = keys("while they are dead", 300).map((key) => writes.put(client, key));
  const reads = before.map((key) => read(client, key));
  for (let index = 0; index < NODES; index += 1) await nodes.run(index);
  await Promise.all([under.written, ...down]);
  for (const [at, text] of (await Promise.all(reads)).entries()) {
    if (text !== undefined) assert.equal(text, before[at]);
  }
  assert.equal(client.stats().inFlight, 0);
  writes.tell(context);
  // The client that has seen all that works on.
  for (const index of nodes.addresses.keys()) await nodes.ready(index);
  await pooled(keys("after", 100), 16, (key) => writes.put(client, key));
  await writes.verify();
});

/** Writes keys, many at a time, and kills all nodes in the middle of it. */
function dying(client: Client, writes: Writes, names: string[]): { written: Promise<unknown>; dead: Promise<unknown> } {
  let ended = 0;
  let kill!: () => void;
  const dead = new Promise<void>((resolve) => (kill = resolve)).then(() =>
    Promise.all(nodes.addresses.map((_, index) => nodes.kill(index))),
  );
  const written = pooled(names, 250, async (key) => {
    await writes.put(client, key);
    ended += 1;
    if (ended === names.length >> 2) kill();
  });
  return { written, dead };
}

/** The text of a key that was written once; nothing where the read failed. */
async function read(client: Client, key: string): Promise<string | undefined> {
  const entry = await client.get(key).catch((error: unknown) => {
    assert.ok(error instanceof QuorateError, String(error));
    assert.equal(error.outcome, "none");
    return undefined;
  });
  assert.ok((entry?.siblings.length ?? 1) === 1, key);
  return entry?.text().trimEnd();
}

test("operations end by their deadline where all nodes stay dead", async (context) => {
  await using client = await connect({ seeds: nodes.addresses, timeout: HASTY_MS });
  const writes = new Writes();
  const under = dying(client, writes, keys("forever", 500));
  await under.dead;
  const down = keys("too late", 500).map((key) => writes.put(client, key));
  await Promise.all([under.written, ...down]);
  assert.equal(client.stats().inFlight, 0);
  writes.tell(context);
  assert.ok(writes.count("stored") < 1_000);
  for (let index = 0; index < NODES; index += 1) await nodes.run(index);
  for (const index of nodes.addresses.keys()) await nodes.ready(index);
  await writes.verify();
});

test("a node that dies in the middle of a reply", async (context) => {
  const random = seeded(context);
  const proxies = await Promise.all(nodes.addresses.map((address) => Proxy.start(address, random)));
  const addressMap = Object.fromEntries(nodes.addresses.map((address, index) => [address, proxies[index]!.address]));
  try {
    await using client = await connect({ seeds: nodes.addresses, addressMap, timeout: PATIENT_MS });
    const names = keys("large", 30);
    const large = 200_000;
    await pooled(names, 8, (key) => client.put(key, key.padEnd(large)));
    await whole(names);
    for (const [index, proxy] of proxies.entries()) {
      let left = large + random.below(large);
      let died: Promise<void> | undefined;
      proxy.decide = (direction, bytes) => {
        if (direction === "up" || died) return "nothing";
        left -= bytes.length;
        if (left > 0) return "nothing";
        died = nodes.kill(index);
        return "truncate";
      };
      const entries = await pooled([...names, ...names, ...names], 16, (key) => client.get(key));
      for (const [at, entry] of entries.entries()) {
        assert.equal(entry?.text(), names[at % names.length]?.padEnd(large));
      }
      assert.ok(died, `node ${index} was never asked for enough`);
      await died;
      await nodes.run(index);
      await whole(names);
    }
  } finally {
    for (const proxy of proxies) proxy.stop();
  }
});

/**
 * Waits until every replica of some keys vouches for them: one that was killed does not before it has
 * compared itself with the others.
 */
async function whole(names: string[]): Promise<void> {
  await using client = await connect({ seeds: nodes.addresses, timeout: PATIENT_MS });
  for (const key of names) {
    let answered = false;
    for (let attempt = 0; attempt < WHOLE_ATTEMPTS && !answered; attempt += 1) {
      answered = (await client.get(key, { r: NODES, strict: true }).catch(() => undefined)) !== undefined;
      if (!answered) await sleep(WHOLE_PAUSE_MS);
    }
    assert.ok(answered, `not all replicas of ${key} come back`);
  }
}

test("a network that cuts, delays, truncates and duplicates", async (context) => {
  const random = seeded(context);
  const proxies = await Promise.all(nodes.addresses.map((address) => Proxy.start(address, random)));
  const addressMap = Object.fromEntries(nodes.addresses.map((address, index) => [address, proxies[index]!.address]));
  const harms = ["cut", "delay", "truncate", "duplicate"] as const;
  try {
    await using client = await connect({ seeds: nodes.addresses, addressMap, timeout: HURRIED_MS });
    for (const proxy of proxies) {
      proxy.decide = () => (random.below(100) < 30 ? random.pick(harms) : "nothing");
    }
    const writes = new Writes();
    await pooled(keys("harmed", 3_000), 32, async (key) => {
      await writes.put(client, key, random.below(2_000));
      // What is read may be old or missing: what is told must be what was written.
      const text = await read(client, key);
      if (text !== undefined) assert.equal(text, key);
    });
    for (const harm of harms) {
      const count = proxies.reduce((sum, { done }) => sum + (done.get(harm) ?? 0), 0);
      assert.ok(count > 0, `nothing was harmed by ${harm}`);
      context.diagnostic(`${harm}: ${count}`);
    }
    writes.tell(context);
    assert.ok(writes.count("stored") > 0);
    await writes.verify();
  } finally {
    for (const proxy of proxies) proxy.stop();
  }
});

/** Chance of one test; its seed is printed. */
function seeded(context: TestContext): Random {
  const random = new Random();
  context.diagnostic(`QUORATE_SEED=${random.seed}`);
  return random;
}
