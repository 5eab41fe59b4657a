// What a page does: the query of its address names a node and the key, its title tells the outcome.

import { roundTrip } from "./round-trip.js";

/** `run` makes the round trip, in the page unless it is told another place. */
export async function show(run) {
  const query = new URLSearchParams(location.search);
  try {
    document.title = `done: ${await run(query.get("seed"), query.get("environment"))}`;
  } catch (error) {
    document.title = `failed: ${error?.code} ${error?.message}`;
  }
}

/** For a page that connects by itself. */
export function showRoundTrip(connect, options = {}) {
  return show((seed, environment) => roundTrip(connect, { ...options, seeds: [seed] }, environment));
}
