// Reading and writing: a client, a key, a value, and what the write replaces.

import { button, element, labelled, rebuild, say, set } from "../element.js";
import type { Scene } from "../scene.js";
import type { Operation, Operations } from "../traffic/operations.js";
import { clientName, counted } from "../words.js";
import type { Hands } from "./hands.js";

const KEY_MAX = 1024;
const VALUE_MAX = 4096;

export class Ask {
  readonly root = element("section", { class: "card ask", "aria-labelledby": "ask-title" });
  readonly #hands: Hands;
  readonly #clients = element("div", { class: "segments", role: "group", "aria-label": "Client" });
  readonly #key = element("input", { type: "text", maxlength: KEY_MAX, autocomplete: "off", spellcheck: "false", "data-name": "key" });
  readonly #value = element("input", { type: "text", maxlength: VALUE_MAX, autocomplete: "off", spellcheck: "false", "data-name": "value" });
  readonly #blind = element("input", { type: "checkbox" });
  readonly #basis = element("p", { class: "quiet" });
  readonly #merge = element("div", { class: "merge" });
  readonly #buttons: { readonly get: HTMLButtonElement; readonly put: HTMLButtonElement; readonly delete: HTMLButtonElement };
  #scene: Scene | undefined;

  constructor(hands: Hands) {
    this.#hands = hands;
    this.#buttons = {
      get: button("Get", () => void this.#ask("get")),
      put: element("button", { type: "submit", class: "primary" }, "Put"),
      delete: button("Delete", () => void this.#ask("delete")),
    };
    this.#key.addEventListener("input", () => hands.choose({ key: this.#key.value }));
    this.#blind.addEventListener("change", () => this.#scene && this.update(this.#scene));
    const form = element(
      "form",
      {},
      element("div", { class: "pair" }, labelled("Key", this.#key), labelled("Value", this.#value)),
      element("div", { class: "row" }, this.#buttons.get, this.#buttons.put, this.#buttons.delete, labelled("blind", this.#blind, { class: "tick" })),
      this.#basis,
      this.#merge,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#ask("put");
    });
    // Enter reads where the key stands, and writes where the value does.
    this.#key.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      void this.#ask("get");
    });
    this.root.append(
      element("div", { class: "titled" }, element("h2", { id: "ask-title" }, "Read and write"), this.#clients),
      form,
    );
  }

  update(scene: Scene): void {
    this.#scene = scene;
    const { choice, view } = scene;
    if (this.#key.value !== choice.key) this.#key.value = choice.key;
    rebuild(this.#clients, [view.clients.length, choice.client], () =>
      view.clients.map((_, client) =>
        button(clientName(client), () => this.#hands.choose({ client }), {
          "aria-pressed": client === choice.client ? "true" : "false",
          "aria-label": `Client ${clientName(client)}`,
          "data-name": `client ${client}`,
        }),
      ),
    );
    const keyed = choice.key !== "";
    for (const deed of ["get", "put", "delete"] as const) {
      set(this.#buttons[deed], { disabled: !keyed || !this.#hands.allows(deed) });
    }
    const basis = lastSeen(scene.operations, choice.client, choice.key);
    set(this.#blind.parentElement ?? this.#blind, { hidden: basis === undefined });
    say(this.#basis, keyed ? this.#says(basis, clientName(choice.client)) : "Type a key: the ring shows where it lives.");
    this.#showMerge(scene, basis);
  }

  #says(basis: Operation | undefined, client: string): string {
    if (!basis) return `${client} has not read this key: a write of it is blind, and replaces nothing.`;
    if (this.#blind.checked) return "A blind write replaces nothing: it becomes a sibling of what stands.";
    return `A write replaces what ${client} was shown by call ${basis.call}, and nothing else.`;
  }

  /** Whoever has read siblings may merge them: here, into one line. */
  #showMerge(scene: Scene, basis: Operation | undefined): void {
    const outcome = basis?.asks === "get" ? basis.outcome : undefined;
    const values = outcome?.kind === "entry" && outcome.values.length > 1 ? outcome.values : [];
    rebuild(this.#merge, [values, basis?.call], () => {
      if (values.length === 0 || !basis) return [];
      const merged = element("input", { type: "text", maxlength: VALUE_MAX, autocomplete: "off", "data-name": "merged" });
      merged.value = mergedOf(values);
      const write = async () => {
        const { client, key } = scene.choice;
        const call = await this.#hands.act({ do: "put", client, key, value: merged.value, after: basis.call });
        if (call !== undefined) this.#hands.choose({ call });
      };
      return [
        element("h3", {}, `${counted(values.length, "sibling")} to merge`),
        element("ul", { class: "values" }, ...values.map((value) => element("li", {}, value))),
        labelled("Merged value", merged),
        element("div", { class: "row" }, button("Write merged", () => void write(), { class: "primary", "data-name": "merge" })),
      ];
    });
  }

  async #ask(deed: "get" | "put" | "delete"): Promise<void> {
    const scene = this.#scene;
    if (!scene || scene.choice.key === "" || !this.#hands.allows(deed)) return;
    const { client, key } = scene.choice;
    const basis = this.#blind.checked ? undefined : lastSeen(scene.operations, client, key);
    const after = basis ? { after: basis.call } : {};
    const call = await this.#hands.act(
      deed === "get"
        ? { do: "get", client, key }
        : deed === "put"
          ? { do: "put", client, key, value: this.#value.value, ...after }
          : { do: "delete", client, key, ...after },
    );
    if (call !== undefined) this.#hands.choose({ call });
  }
}

/** The last call of a client that showed it what stands under a key. */
export function lastSeen(operations: Operations, client: number, key: string): Operation | undefined {
  return operations
    .list()
    .find((one) => one.client === client && one.key === key && one.outcome && one.outcome.kind !== "failed");
}

/** The union of what stands in siblings that are lists with commas, in the order of the alphabet. */
export function mergedOf(values: readonly string[]): string {
  const parts = values.flatMap((value) => value.split(",").map((part) => part.trim()));
  return [...new Set(parts.filter((part) => part !== ""))].sort().join(", ");
}
