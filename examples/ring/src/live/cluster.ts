// A live cluster as a source: the node that serves the page says how all nodes are, and the client
// of the npm package knows the ring, reads and writes. Time is real, and does not go back.

import type { Client, Context, Entry, Receipt, Ring, Written } from "quorate";
import type { Action, Happening, RunLocation, RunOutcome, RunReceipt, RunView } from "quorate/sim";

import type { Deed, Source, Telling } from "../source.js";
import { numbering, total, viewOf } from "./told.js";
import type { Told } from "./told.js";

const ASK_EVERY_MS = 1_000;
/** The node asks all others, some of which may be silent. */
const ANSWER_MS = 10_000;
/** Contexts are kept for the writes that follow; older ones are forgotten. */
const CONTEXTS_MAX = 200;

/** What the panel of a live cluster says. */
export interface Rates {
  readonly gets: number;
  readonly puts: number;
  readonly hints: number;
  readonly repairs: number;
  readonly attention: readonly string[];
  readonly writes: boolean;
  /** Why the nodes could not be asked, if they could not. */
  readonly silent: string | undefined;
}

export class LiveCluster implements Source {
  readonly kind = "live";
  readonly forks = false;
  readonly #base: URL;
  readonly #client: Client;
  readonly #began = performance.now();
  readonly #contexts = new Map<number, Context>();
  readonly #timer: ReturnType<typeof setInterval>;
  #told: Told;
  #before: Told;
  #ring: Ring;
  #happened: Happening[] = [];
  #calls = 0;
  #underWay = 0;
  #silent: string | undefined;
  #asking = false;

  private constructor(base: URL, client: Client, told: Told, ring: Ring) {
    this.#base = base;
    this.#client = client;
    this.#told = told;
    this.#before = told;
    this.#ring = ring;
    this.#timer = setInterval(() => void this.#ask(), ASK_EVERY_MS);
    void this.#watch();
  }

  /** The cluster behind the server of the page; `undefined`: that is none. */
  static async open(base: URL): Promise<LiveCluster | undefined> {
    const told = await ask(base);
    if (!told) return undefined;
    const { connect } = await import("quorate");
    const seed = new URL("/", base);
    seed.protocol = base.protocol === "https:" ? "wss:" : "ws:";
    // The policy of the page allows its own server alone, so that node passes everything on.
    const client = await connect({ seeds: [seed.href], routing: "gateway" });
    return new LiveCluster(base, client, told, client.ring());
  }

  get now(): number {
    return performance.now() - this.#began;
  }

  get horizon(): number {
    return this.now;
  }

  /** Reading is always allowed; writing, where the operator says so. */
  allows(deed: Deed): boolean {
    return deed === "get" || ((deed === "put" || deed === "delete") && this.#writes);
  }

  act(action: Action): Promise<number | undefined> {
    if (action.do !== "get" && action.do !== "put" && action.do !== "delete") {
      return Promise.reject(new Error("That is not done to a live cluster from here."));
    }
    if (!this.allows(action.do)) return Promise.reject(new Error("This page may only read here."));
    this.#calls += 1;
    const call = this.#calls;
    const { do: asks, client, key } = action;
    const value = action.do === "put" ? { value: action.value } : {};
    this.#happened.push({ at: this.now, kind: "call", call, client, asks, key, ...value });
    void this.#run(call, action);
    return Promise.resolve(call);
  }

  advance(): readonly Happening[] {
    return this.#happened.splice(0);
  }

  async *travel(): AsyncGenerator<Telling> {
    yield { again: false, happened: this.advance() };
  }

  view(): RunView {
    return viewOf(this.#told, this.#ring, this.now, this.#underWay);
  }

  locate(key: string): RunLocation {
    const { position, slot, nodes, primaries } = this.#client.locate(key);
    const ids = numbering(this.#told);
    return {
      position,
      slot,
      walk: [],
      nodes: nodes.map(({ id }) => ({
        node: ids.indexOf(id),
        primary: primaries.some((one) => one.id === id),
        siblings: [],
      })),
    };
  }

  plan(): { readonly refused: string } {
    return { refused: "The layout of a live cluster is changed by `quorate layout`." };
  }

  trace(): string {
    return "";
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#client.close();
  }

  get rates(): Rates {
    const rate = (counter: string) => Math.max(0, total(this.#told, counter) - total(this.#before, counter));
    return {
      gets: rate("gets"),
      puts: rate("puts") + rate("deletes"),
      hints: total(this.#told, "hints"),
      repairs: rate("repairs") + rate("slots_repaired"),
      attention: this.#told.attention,
      writes: this.#writes,
      silent: this.#silent,
    };
  }

  get #writes(): boolean {
    return this.#told.ui?.writes ?? false;
  }

  async #ask(): Promise<void> {
    // A node that takes longer is not asked again meanwhile.
    if (this.#asking) return;
    this.#asking = true;
    try {
      const told = await ask(this.#base);
      if (!told) throw new Error("the node does not tell how the cluster is");
      this.#silent = undefined;
      this.#before = this.#told;
      this.#told = told;
      this.#compare();
    } catch (error) {
      this.#silent = error instanceof Error ? error.message : String(error);
    } finally {
      this.#asking = false;
    }
  }

  /** Who came and who went since it was last asked. */
  #compare(): void {
    for (const [node, id] of numbering(this.#told).entries()) {
      const is = (told: Told) => told.nodes.find((one) => one.id === id)?.up ?? false;
      if (is(this.#told) === is(this.#before)) continue;
      this.#happened.push({ at: this.now, kind: "node", node, what: is(this.#told) ? "up" : "down" });
    }
  }

  async #watch(): Promise<void> {
    for await (const ring of this.#client.watchRing()) this.#ring = ring;
  }

  async #run(call: number, action: Extract<Action, { do: "get" | "put" | "delete" }>): Promise<void> {
    this.#underWay += 1;
    const outcome = await this.#outcome(call, action);
    this.#underWay -= 1;
    this.#happened.push({ at: this.now, kind: "ended", call, outcome });
  }

  async #outcome(call: number, action: Extract<Action, { do: "get" | "put" | "delete" }>): Promise<RunOutcome> {
    try {
      if (action.do === "get") return this.#entry(call, await this.#client.get(action.key, { receipt: true }));
      const context = action.after === undefined ? undefined : this.#contexts.get(action.after);
      const options = { context, receipt: true };
      if (action.do === "put") return this.#written(call, await this.#client.put(action.key, action.value, options));
      return this.#written(call, await this.#client.delete(action.key, options));
    } catch (error) {
      return failed(error);
    }
  }

  #entry(call: number, entry: Entry | undefined): RunOutcome {
    if (!entry) return { kind: "entry", values: [], tombstones: 0, direct: false };
    this.#keep(call, entry.context);
    const values = entry.siblings.map((sibling) => sibling.text());
    return { kind: "entry", values, tombstones: entry.deleted ? 1 : 0, ...this.#receipt(entry.receipt) };
  }

  #written(call: number, written: Written): RunOutcome {
    this.#keep(call, written.context);
    return { kind: "written", siblings: written.siblings, ...this.#receipt(written.receipt) };
  }

  #keep(call: number, context: Context): void {
    this.#contexts.set(call, context);
    this.#contexts.delete(call - CONTEXTS_MAX);
  }

  #receipt(receipt: Receipt | undefined): { direct: boolean; receipt?: RunReceipt } {
    if (!receipt) return { direct: false };
    const ids = numbering(this.#told);
    const number = (id: string) => ids.indexOf(id);
    return {
      direct: receipt.direct,
      receipt: {
        coordinator: number(receipt.coordinator),
        needed: receipt.needed,
        primaries: receipt.primaries.map(number),
        fallbacks: receipt.fallbacks.map(({ node, primary }) => ({ node: number(node), for: number(primary) })),
        repaired: receipt.repaired.map(number),
        version: receipt.layoutVersion,
      },
    };
  }
}

/** What the server of the page says of the cluster; `undefined`: it is no node. */
async function ask(base: URL): Promise<Told | undefined> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(new URL("v1/cluster", base), { cache: "no-store", signal });
  if (response.status === 503) throw new Error(await response.text());
  const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  return response.ok && isJson ? ((await response.json()) as Told) : undefined;
}

function failed(error: unknown): RunOutcome {
  const told = error as { code?: string; message?: string; outcome?: string; needed?: number; acked?: number };
  return {
    kind: "failed",
    code: told.code ?? "",
    message: told.message ?? String(error),
    unknown: told.outcome === "unknown",
    needed: told.needed ?? 0,
    acked: told.acked ?? 0,
  };
}
