// What tracers, meters and Node.js's diagnostics channels are told, and why sockets fail.

import assert from "node:assert/strict";
import { tracingChannel } from "node:diagnostics_channel";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { connect } from "quorate";
import type { Client, ConnectOptions, Telemetry, WebSocketClass } from "quorate";

import { tracing } from "../src/telemetry.js";
import { FakeNode } from "./fake-node.js";
import { withNode } from "./with-node.js";

const withNodeAnd = (
  options: Partial<ConnectOptions>,
  run: (node: FakeNode, client: Client) => Promise<void>,
) => withNode(run, options);

/** A tracer and a meter that take down what they are told. */
function recorder() {
  const spans: { name: string; kind: number; attributes: Record<string, unknown>; status?: unknown; ends: number }[] = [];
  const records: [string, string, number, Record<string, unknown>][] = [];
  const telemetry: Telemetry = {
    tracer: {
      startSpan(name, { kind, attributes }) {
        const span: (typeof spans)[0] = { name, kind, attributes: { ...attributes }, ends: 0 };
        spans.push(span);
        return {
          setAttribute: (key, value) => void (span.attributes[key] = value),
          setStatus: (status) => void (span.status = status),
          end: () => void (span.ends += 1),
        };
      },
    },
    meter: {
      createHistogram: (name, { unit }) => ({
        record: (value, attributes) => void records.push([name, unit, value, attributes]),
      }),
    },
  };
  return { spans, records, telemetry };
}

test("each request is a span and a duration, by their conventional names", async () => {
  const { spans, records, telemetry } = recorder();
  await withNodeAnd({ telemetry, cluster: "000000000000002a" }, async (node, client) => {
    const { port } = new URL(node.url);
    await client.put("k", "v");
    await client.get("k");
    await client.delete("k");
    await client.update("u", () => "v");
    await client.ping(node.id);
    const of = (operation: string): Record<string, unknown> => ({
      "db.system.name": "quorate",
      "db.operation.name": operation,
      "db.namespace": "000000000000002a",
      "server.address": "127.0.0.1",
      "server.port": Number(port),
    });
    const expected = (name: string): object => ({ name, kind: 2, attributes: of(name), ends: 1 });
    const operations = ["put", "get", "delete", "get", "put", "ping"];
    assert.deepEqual(spans, operations.map(expected));
    assert.deepEqual(
      records.map(([name, unit, , attributes]) => [name, unit, attributes]),
      operations.map((name) => ["db.client.operation.duration", "s", of(name)]),
    );
    assert.ok(records.every(([, , seconds]) => seconds > 0 && seconds < 5));

    spans.length = records.length = 0;
    node.intercept = ({ get }) =>
      get && [{ reply: { call: get.call, layoutVersion: "1", failure: { code: "FAILURE_STALE" } } }];
    await assert.rejects(client.get("k"), { code: "STALE" });
    const aborted = client.get("k", { signal: AbortSignal.abort() });
    await assert.rejects(aborted, { name: "AbortError" });
    node.pause();
    const abort = new AbortController();
    const late = client.get("k", { signal: abort.signal });
    abort.abort();
    await assert.rejects(late, { name: "AbortError" });
    const closed = client.put("k", "v");
    const rejected = assert.rejects(closed, { code: "CLOSED" });
    await client.close();
    await rejected;
    assert.deepEqual(spans.map(({ attributes }) => attributes["error.type"]), ["STALE", "AbortError", "CLOSED"]);
    assert.ok(spans.every(({ ends, status }) => ends === 1 && (status as { code: number }).code === 2));
    assert.equal(records.length, 3);
  });
});

test("who listens to the channel is told, and nobody else costs anything", () =>
  withNodeAnd({}, async (node, client) => {
    await client.put("k", "before");
    const told: [string, unknown][] = [];
    const channel = tracingChannel("quorate:operation");
    const tell = (phase: string) => (message: unknown) => told.push([phase, { ...(message as object) }]);
    const phases = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;
    const listeners = Object.fromEntries(phases.map((phase) => [phase, tell(phase)]));
    channel.subscribe(listeners as never);
    await client.get("k");
    node.intercept = ({ put }) =>
      put && [{ reply: { call: put.call, layoutVersion: "1", failure: { code: "FAILURE_STORAGE_FULL" } } }];
    const error = await client.put("k", "v").catch((reason: unknown) => reason);
    channel.unsubscribe(listeners as never);
    node.intercept = undefined;
    await client.get("k");
    const read = { operation: "get", key: "k" };
    const write = { operation: "put", key: "k" };
    const failed = { ...write, node: node.id, error };
    assert.deepEqual(told, [
      ["start", read],
      ["end", read],
      ["asyncStart", { ...read, node: node.id }],
      ["asyncEnd", { ...read, node: node.id }],
      ["start", write],
      ["end", write],
      ["error", failed],
      ["asyncStart", failed],
      ["asyncEnd", failed],
    ]);
  }));

test("a tracer may close the client, at the beginning of an operation and at its end", async () => {
  for (const phase of ["start", "end"] as const) {
    let client: Client | undefined;
    const closed: Promise<void>[] = [];
    const close = (at: string) => at === phase && client && closed.push(client.close());
    const span = { setAttribute() {}, setStatus() {}, end: () => void close("end") };
    const startSpan = () => {
      close("start");
      return span;
    };
    await withNodeAnd({ telemetry: { tracer: { startSpan } } }, async (node, made) => {
      client = made;
      const put = client.put("k", "v");
      if (phase === "start") await assert.rejects(put, { code: "CLOSED" });
      else await put;
      assert.equal(closed.length, 1);
      await closed[0];
      assert.equal(node.connections, 0);
    });
  }
});

test("an end is told soon, and never while the machine is at work", async () => {
  const { spans, telemetry } = recorder();
  const end = tracing(telemetry, undefined, () => undefined)?.("get", "k");
  end?.(undefined);
  assert.equal(spans[0]?.ends, 0);
  await Promise.resolve();
  assert.equal(spans[0]?.ends, 1);
});

test("a wrong tracer is explained", async () => {
  for (const wrong of [null, true, 5, { tracer: {} }, { meter: { createCounter() {} } }]) {
    const telemetry = wrong as unknown as Telemetry;
    const connecting = connect({ seeds: ["ws://127.0.0.1:1"], telemetry });
    await assert.rejects(connecting, { code: "BAD_ARGUMENT", message: /@opentelemetry\/api/ });
  }
});

/** A page at `href`, whose sockets end as browsers end them. */
function browser(context: TestContext, href: string, policy: string[] = []): WebSocketClass {
  const document = new EventTarget();
  for (const [name, value] of Object.entries({ location: new URL(href), document })) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
    context.after(() => Reflect.deleteProperty(globalThis, name));
  }
  return class {
    readyState = 0;
    onclose: ((event: object) => void) | undefined;
    onerror: ((event: object) => void) | undefined;
    constructor(readonly url: string) {
      if (url.startsWith("ws:") && href.startsWith("https:") && !url.includes("//localhost")) {
        throw new DOMException("An insecure WebSocket connection may not be initiated", "SecurityError");
      }
      setTimeout(() => {
        // A policy that only reports forbids nothing.
        const disposition = policy.includes(url) ? "enforce" : "report";
        const violation = { blockedURI: url, disposition, effectiveDirective: "connect-src" };
        document.dispatchEvent(Object.assign(new Event("securitypolicyviolation"), violation));
        this.readyState = 3;
        this.onerror?.({});
        // As Chromium: a policy ends a socket without an end.
        if (!policy.includes(url)) this.onclose?.({ code: 1006, reason: "" });
      }, 1);
    }
    send(): void {}
    close(): void {}
  } as unknown as WebSocketClass;
}

test("a page is told why its sockets may have failed", async (context) => {
  const cases: [string, string, RegExp, string[]?][] = [
    ["https://shop.example/", "ws://node.example:1", /may not use ws: .* seeds with wss/],
    ["https://shop.example/", "ws://localhost:1", /user's permission for a private address/],
    ["https://shop.example/", "wss://192.168.1.7:1", /user's permission for a private address/],
    ["https://shop.example/", "wss://node.example:1", /no connection; the browser's console may say why/],
    ["http://127.0.0.1:8080/", "ws://10.0.0.1:1", /no connection; the browser's console/],
    [
      "https://shop.example/",
      "wss://node.example:1",
      /forbids it: add wss:\/\/node\.example:1 to connect-src/,
      ["wss://node.example:1"],
    ],
  ];
  for (const [href, seed, message, policy] of cases) {
    const WebSocket = browser(context, href, policy);
    const connecting = connect({ seeds: [seed], WebSocket, reconnect: false });
    await assert.rejects(connecting, { code: "UNREACHABLE", message });
  }
});
