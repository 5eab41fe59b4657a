// Names and numbers in the words of the field.

import type { Place, RunView } from "quorate/sim";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

export function clientName(client: number): string {
  return LETTERS[client] ?? `client ${client}`;
}

export function nodeName(view: RunView, node: number): string {
  return view.nodes[node]?.label ?? `node ${node}`;
}

export function placeName(view: RunView, place: Place): string {
  return "node" in place ? nodeName(view, place.node) : `client ${clientName(place.client)}`;
}

export function nodeNames(view: RunView, nodes: readonly number[]): string {
  return listed(nodes.map((node) => nodeName(view, node)));
}

/** "a", "a and b", "a, b and c". */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** "1 key", "2 keys". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** A time since the beginning: minutes, seconds and thousandths. */
export function clockTime(milliseconds: number): string {
  const whole = Math.max(0, Math.floor(milliseconds));
  const [minutes, rest] = [Math.floor(whole / 60_000), whole % 60_000];
  const seconds = String(Math.floor(rest / 1000)).padStart(2, "0");
  return `${minutes}:${seconds}.${String(rest % 1000).padStart(3, "0")}`;
}

export function duration(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(2)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** A text as it may stand in a sentence: never too long for it. */
export function short(text: string, max = 24): string {
  const letters = [...text];
  return letters.length <= max ? text : `${letters.slice(0, max - 1).join("")}…`;
}
