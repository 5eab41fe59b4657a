// A fresh world: how many nodes, zones, slots and copies.

import { button, element, folded, labelled } from "../element.js";
import type { RunOptions } from "quorate/sim";

type Field = { readonly name: keyof RunOptions; readonly label: string; readonly min: number; readonly max: number; readonly usual: number };

const FIELDS: readonly Field[] = [
  { name: "nodes", label: "Nodes", min: 1, max: 50, usual: 6 },
  { name: "newcomers", label: "Spare nodes", min: 0, max: 8, usual: 1 },
  { name: "zones", label: "Zones", min: 1, max: 8, usual: 3 },
  { name: "replication", label: "N, copies", min: 1, max: 8, usual: 3 },
  { name: "r", label: "R, to read", min: 1, max: 8, usual: 2 },
  { name: "w", label: "W, to write", min: 1, max: 8, usual: 2 },
  { name: "clients", label: "Clients", min: 1, max: 6, usual: 3 },
  { name: "seed", label: "Seed", min: 0, max: 4_294_967_295, usual: 7 },
];
const SLOTS = [16, 32, 64, 128, 256, 512, 1024] as const;
const SLOTS_USUAL = 64;

/** The world that the page opens with. */
export const USUAL: RunOptions = {
  ...Object.fromEntries(FIELDS.map(({ name, usual }) => [name, usual])),
  slots: SLOTS_USUAL,
};

export function worldPanel(begin: (options: RunOptions) => void): HTMLDetailsElement {
  const inputs = FIELDS.map(({ name, label, min, max, usual }) => ({
    name,
    label,
    input: element("input", { type: "number", min, max, value: usual, required: true, "data-name": name }),
  }));
  const slots = element("select", {}, ...SLOTS.map((count) => element("option", { value: count, selected: count === SLOTS_USUAL }, String(count))));
  const form = element(
    "form",
    {},
    element("div", { class: "grid" }, ...inputs.map(({ label, input }) => labelled(label, input)), labelled("Slots", slots)),
    element("div", { class: "row" }, element("button", { type: "submit", class: "primary" }, "Begin"), button("As usual", () => begin(USUAL))),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = Object.fromEntries(inputs.map(({ name, input }) => [name, input.valueAsNumber]));
    begin({ ...chosen, slots: Number(slots.value) });
  });
  return folded("Another world", { class: "card world" }, form);
}
