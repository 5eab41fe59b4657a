// The clients of tests/appenders in JavaScript: each reads a key, appends an element that nobody
// else appends, and writes what it read with it. Asked and answering in lines of JSON.

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { connect } from "quorate";

const { seeds, name, clients, lists, elements: elementsMax, restMs } = JSON.parse(process.argv[2]);

const phases = [];
const acknowledged = {};
let over = false;

// The generation of each list that is appended to: one that is full goes on under another key.
const generations = Array(lists).fill(0);

const elements = (entry) =>
  new Set((entry?.siblings ?? []).flatMap((sibling) => sibling.text().split("\n")).filter(Boolean));

function note(began) {
  phases.at(-1)?.latencies.push(Math.round((performance.now() - began) * 1_000));
}

function fail(error) {
  if (phases.length === 0) phases.push({ name: "", latencies: [], errors: {} });
  const { errors } = phases.at(-1);
  const text = `${error.code}: ${error.message}`;
  errors[text] = (errors[text] ?? 0) + 1;
}

async function append(client, mine) {
  for (let number = 0; !over; number += 1) {
    const element = `${mine}-${number}`;
    try {
      const key = await appendOne(client, Math.floor(Math.random() * lists), element);
      (acknowledged[key] ??= []).push(element);
    } catch (error) {
      fail(error);
    }
    await sleep(restMs);
  }
}

async function appendOne(client, list, element) {
  for (let generation = generations[list]; ; generation += 1) {
    generations[list] = Math.max(generations[list], generation);
    const key = `list ${list}-${generation}`;
    let began = performance.now();
    const entry = await client.get(key);
    note(began);
    const held = elements(entry);
    if (held.size >= elementsMax) continue;
    const value = [...held, element].join("\n");
    began = performance.now();
    await client.put(key, value, entry === undefined ? {} : { context: entry.context });
    note(began);
    return key;
  }
}

const connected = await Promise.all(Array.from({ length: clients }, () => connect({ seeds })));
const running = connected.map((client, number) => append(client, `${name}${number}`));

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let answer = {};
  if (order.order === "phase") phases.push({ name: order.name, latencies: [], errors: {} });
  if (order.order === "end") {
    over = true;
    await Promise.all(running);
    answer = { phases, acknowledged };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
