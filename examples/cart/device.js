// One device with a copy of the cart: what it shows, what it has not sent yet, and whether it is online.
import { union } from "./quorate.js";

export const KEY = "cart of ada";

export class Device {
  /** What the person sees, sent or not. */
  items = [];
  /** The carts that stand side by side, newest first, as this device last read them. */
  carts = [];
  online = true;
  /** Whether `items` says something that was not sent yet. */
  unsent = false;
  /** What to tell the person. */
  note = "";
  /** What this device has seen: a write of it replaces just that. */
  #context;
  /** Counts the changes of the person. */
  #changes = 0;
  /** The sending that is under way, if one is. */
  #sending;
  /** What was removed here since this device last agreed with all others. */
  #removed = new Set();
  #client;

  constructor(name, client) {
    this.name = name;
    this.#client = client;
  }

  get inConflict() {
    return this.carts.length > 1;
  }

  /** Reads the cart, unless there is something to send first. */
  async read() {
    if (!this.online) return;
    if (this.unsent) return this.#send();
    const changes = this.#changes;
    const entry = await this.#client.get(KEY);
    // What the person did meanwhile counts.
    if (!this.online || this.#changes !== changes) return;
    this.#context = entry?.context;
    this.carts = entry?.siblings.map((one) => one.json()) ?? [];
    this.items = union(this.carts);
    if (this.inConflict) return;
    const cameBack = this.items.filter((item) => this.#removed.has(item));
    this.#removed.clear();
    if (cameBack.length > 0) {
      this.note = `${cameBack.join(", ")} came back: removed here, but the other cart still had it.`;
    }
  }

  async add(item) {
    if (item === "" || this.items.includes(item)) return;
    this.#removed.delete(item);
    await this.#change([...this.items, item]);
  }

  async remove(item) {
    this.#removed.add(item);
    await this.#change(this.items.filter((one) => one !== item));
  }

  async goOnline(online) {
    this.online = online;
    this.note = "";
    if (online && this.unsent) await this.#send();
    else await this.read();
  }

  /** Writes the union of all carts in place of them. */
  async merge() {
    await this.read();
    await this.#change(this.items);
  }

  async #change(items) {
    this.items = items;
    this.#changes += 1;
    this.unsent = true;
    if (this.online) await this.#send();
  }

  /** Each write carries the context of the one before, so there is one at a time. */
  async #send() {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
    await this.read();
  }

  async #sendAll() {
    let siblings = 0;
    while (this.online && this.unsent) {
      const changes = this.#changes;
      const cart = JSON.stringify(this.items);
      const written = await this.#client.put(KEY, cart, { context: this.#context });
      this.#context = written.context;
      siblings = written.siblings;
      this.unsent = this.#changes !== changes;
    }
    this.note = siblings > 1 ? "Somebody else wrote, too: both carts are kept." : "";
  }
}
