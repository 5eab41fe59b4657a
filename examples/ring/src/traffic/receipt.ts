// A call and its receipt in plain words.

import type { RunOutcome, RunReceipt, RunView } from "quorate/sim";

import { clientName, counted, duration, nodeName, nodeNames, short } from "../words.js";
import type { Operation } from "./operations.js";

/** One line: what was asked. */
export function title({ client, asks, key, value }: Operation): string {
  const what = value === undefined ? short(key) : `${short(key)} = ${short(value)}`;
  return `${clientName(client)}: ${asks} ${what}`;
}

/** One line: how it stands, or how it ended. */
export function standing(operation: Operation, view: RunView): string {
  const { outcome } = operation;
  if (!outcome) return `${operation.acknowledged.length} of ${needed(operation, view)}`;
  if (outcome.kind === "failed") return outcome.unknown ? "unknown" : "refused";
  if (outcome.kind === "written") return outcome.siblings > 1 ? counted(outcome.siblings, "sibling") : "done";
  if (outcome.values.length === 0) return "nothing there";
  return outcome.values.length === 1 ? short(outcome.values[0] ?? "") : counted(outcome.values.length, "sibling");
}

/** How many acknowledgements a call needs: R of a get, W of anything else. */
export function needed({ asks, outcome }: Operation, { r, w }: RunView): number {
  if (outcome?.kind === "failed") return outcome.needed;
  return outcome?.receipt?.needed ?? (asks === "get" ? r : w);
}

/** Sentences, in the order in which things were. */
export function sentences(operation: Operation, view: RunView): string[] {
  const { outcome, ended, began, client, asks, coordinator } = operation;
  const who = `Client ${clientName(client)}`;
  const asked = asks === "get" ? "asked for" : asks === "put" ? "wrote" : "deleted";
  const first = `${who} ${asked} “${short(operation.key, 60)}”${operation.value === undefined ? "" : `: “${short(operation.value, 120)}”`}.`;
  if (!outcome || ended === undefined) {
    const runs = coordinator === undefined ? "" : ` ${nodeName(view, coordinator)} coordinates.`;
    const heard = operation.acknowledged.length === 0 ? "nobody yet" : nodeNames(view, operation.acknowledged);
    return [first, `It is under way.${runs} Acknowledged by ${heard}; ${needed(operation, view)} are needed.`];
  }
  return [first, ...ending(outcome, view), `It took ${duration(ended - began)}.`];
}

function ending(outcome: RunOutcome, view: RunView): string[] {
  if (outcome.kind === "failed") {
    const numbers = `${outcome.acked} of ${outcome.needed} replicas answered.`;
    const meaning = outcome.unknown ? "The write may have happened." : "Nothing happened.";
    return [outcome.message, numbers, meaning];
  }
  const said: string[] = [];
  const { receipt } = outcome;
  if (receipt) said.push(...took(receipt, outcome.kind === "entry", view));
  if (outcome.kind === "entry") said.push(found(outcome));
  else if (outcome.siblings > 1) {
    said.push(`${counted(outcome.siblings, "sibling")} stand now: this write had not seen the others, so none replaces another.`);
  } else said.push("It is the only value that stands.");
  return said;
}

function took(receipt: RunReceipt, read: boolean, view: RunView): string[] {
  const { coordinator, primaries, fallbacks, repaired, version } = receipt;
  const said = [`${nodeName(view, coordinator)} coordinated, by layout ${version}.`];
  const did = read ? "answered" : "stored it durably";
  const of = read ? `R = ${receipt.needed}` : `W = ${receipt.needed}`;
  said.push(
    primaries.length === 0
      ? `No primary ${did}; ${of} were needed.`
      : `Of its primaries ${nodeNames(view, primaries)} ${did}; ${of} were needed.`,
  );
  for (const { node, for: absent } of fallbacks) {
    said.push(`${nodeName(view, node)} stood in for ${nodeName(view, absent)}${read ? "." : ", and keeps a hint for it."}`);
  }
  if (repaired.length > 0) said.push(`${nodeNames(view, repaired)} had an older state, and was sent the newer one.`);
  return said;
}

function found({ values, tombstones }: Extract<RunOutcome, { kind: "entry" }>): string {
  if (values.length === 0) return tombstones > 0 ? "It was deleted." : "There is no such key.";
  if (values.length === 1) return `Its value: “${short(values[0] ?? "", 120)}”.`;
  const all = values.map((value) => `“${short(value, 40)}”`).join(", ");
  return `${counted(values.length, "sibling")}, none of which has seen another: ${all}. Whoever has read them can merge them.`;
}
