// Good and bad use, for the compiler: a line that should fail and does not is an error, too.

import { QuorateError, connect, max, mergeObject, union } from "quorate";
import type { Bucket, Bytes, Client, Codec, Context, Entry, ErrorCode, Session, Written } from "quorate";

export async function good(socket: typeof WebSocket): Promise<void> {
  await using client: Client = await connect({
    seeds: ["ws://127.0.0.1:7101"],
    timeout: 1_000,
    r: 2,
    w: 2,
    WebSocket: socket,
    signal: AbortSignal.timeout(1_000),
    offline: "fail",
    maxQueue: 10,
    reconnect: (attempt) => (attempt < 10 ? 100 * attempt : false),
    hedge: false,
    telemetry: {
      tracer: {
        startSpan: (name, { kind, attributes }) => ({
          setAttribute: (key, value) => console.log(name, kind, attributes, key, value),
          setStatus: ({ code }) => code,
          end: () => {},
        }),
      },
    },
  });
  const entry: Entry | undefined = await client.get("key", { receipt: true });
  const bytes: Uint8Array | undefined = entry?.value;
  const cart = entry?.json<{ items: string[] }>();
  const written: Written = await client.put(new Uint8Array([1]), "value", { context: entry?.context });
  const context: Context = written.context;
  await client.put("key", new DataView(new ArrayBuffer(8)), { context, timeout: 100 });
  await client.update("key", (seen) => JSON.stringify(seen?.siblings.map((one) => one.json())));
  await client.update("key", async () => new Uint8Array(2));
  await client.delete("key", { context });
  await client.put("key", "value", { context, ttl: 30_000 });
  await client.update("key", () => "value", { ttl: 30_000 });
  const left: number | undefined = entry?.siblings.map((one) => Number(one.expires) - Date.now())[0];
  const own: Entry | undefined = await client.get("key", { context, r: 1, strict: true, local: true });
  const stand = (await client.put("key", "x", { receipt: true, strict: false })).receipt?.fallbacks[0];
  const session: Session = client.session();
  await session.put("key", "value", { context: "" });
  const names: Bucket<string> = session.bucket("names", { codec: "utf8" });
  const [one, all]: [number, ReadonlyMap<string, number>] = [
    await client.ping("0000000000000001", { timeout: 100 }),
    await client.ping({ signal: AbortSignal.timeout(100) }),
  ];
  const slowest = client.stats().nodes.map(({ id, p99 }): [string, number] => [id, p99])[0];
  client.on("failed", ({ error }) => console.log(error.code, client.status().failure?.message));
  console.log(one, all.get("0000000000000001"), slowest?.[1], names.name, client.stats().directShare.toFixed(2));
  const off = client.on("nodedown", ({ node, reason }) => console.log(node, reason === "silent"));
  off();
  for await (const { layoutVersion, nodes } of client.status()) {
    console.log(layoutVersion, nodes.find(({ state }) => state === "down")?.reason);
  }
  console.log(left, entry?.expires?.toISOString(), client.status().nodes[0]?.label, own?.context, stand?.primary);
  const label: string | undefined = client.locate("key").primaries[0]?.label;
  const owner: number | undefined = client.ring().owners[0];
  console.log(bytes, cart?.items, label, owner, client.stats().direct);
  const carts = client.bucket<{ items: string[] }>("carts", { resolve: mergeObject });
  const items: string[] | undefined = (await carts.get("ada"))?.value.items;
  const added = await carts.update("ada", (seen, siblings) => ({ items: [...(seen?.items ?? []), `${siblings.length}`] }));
  const lists: Bucket<number[]> = client.bucket<number[]>("lists", { codec: "json", resolve: union });
  const texts: Bucket<string> = client.bucket("texts", { codec: "utf8", resolve: max });
  const raw: Bucket<Bytes> = client.bucket("raw", { codec: "bytes" });
  const dates: Codec<Date> = { encode: (date) => date.toISOString(), decode: (bytes) => new Date(bytes.length) };
  const seen: Date | undefined = (await client.bucket("dates", { codec: dates, resolve: max }).get("a"))?.value;
  for await (const [key, one] of lists.getMany(new Set(["a", "b"]))) console.log(key, one?.value.length);
  for await (const [key, one] of client.getMany(["a"], { r: 1 })) console.log(key, one?.text());
  for await (const { owners } of client.watchRing()) console.log(owners.length);
  console.log(items, added.value.items, texts.name, (await raw.get("a"))?.value.byteLength, seen?.getTime());
  await client.close({ drain: 1_000 });
  // Values can be handed to the platform as they are.
  if (entry) console.log(new Blob([entry.value]));
}

export function handled(error: unknown): ErrorCode | undefined {
  if (error instanceof QuorateError && error.outcome === "unknown") return error.code;
  return undefined;
}

export async function bad(client: Client): Promise<void> {
  // @ts-expect-error seeds are needed
  await connect({});
  // @ts-expect-error false, milliseconds, or a function
  await connect({ seeds: [], reconnect: true });
  // @ts-expect-error a session has no end of its own
  await client.session().close();
  // @ts-expect-error a list of them
  await connect({ seeds: "ws://127.0.0.1:7101" });
  // @ts-expect-error no such option
  await connect({ seeds: [], retries: 3 });
  // @ts-expect-error objects are no values
  await client.put("key", { a: 1 });
  // @ts-expect-error numbers are no keys
  await client.get(7);
  // @ts-expect-error a context is text
  await client.get("key", { context: new Uint8Array(1) });
  // @ts-expect-error updates read what is there
  await client.update("key", () => "value", { context: "" });
  // @ts-expect-error a number of milliseconds
  await client.put("key", "value", { ttl: "30s" });
  // @ts-expect-error only values expire
  await client.delete("key", { ttl: 30_000 });
  // @ts-expect-error strict or not, there is no third way
  await client.get("key", { strict: "sometimes" });
  // @ts-expect-error the zone is that of the client
  await client.get("key", { zone: "eu" });
  // @ts-expect-error no such event
  client.on("nodegone", () => {});
  // @ts-expect-error a node that is up has no reason to be down
  client.on("nodeup", ({ reason }) => console.log(reason));
  // @ts-expect-error the status of a moment does not change
  client.status().nodes = [];
  // @ts-expect-error a function returns the new value
  await client.update("key", () => 7);
  // @ts-expect-error there may be no entry
  (await client.get("key")).text();
  // @ts-expect-error results cannot be changed
  (await client.put("key", "value")).siblings = 1;
  // @ts-expect-error a bucket of numbers
  await client.bucket<number>("numbers").put("a", "one");
  // @ts-expect-error this codec reads text
  const wrong: Bucket<number> = client.bucket("texts", { codec: "utf8" });
  // @ts-expect-error there is no such codec
  client.bucket("texts", { codec: "xml" });
  // @ts-expect-error lists are united, not numbers
  client.bucket<number>("numbers", { resolve: union });
  // @ts-expect-error the value is of any kind until the bucket says of which
  const some: string = (await client.bucket("things").get("a"))!.value;
  // @ts-expect-error one key is no list
  client.getMany(7);
  // @ts-expect-error milliseconds, or whether
  await client.close({ drain: "1s" });
  console.log(wrong, some);
  // @ts-expect-error the text of a value is unknown until it is parsed
  const items: string[] = (await client.get("key"))?.json();
  console.log(items);
}
