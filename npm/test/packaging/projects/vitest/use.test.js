import { connect } from "quorate";
import { expect, test } from "vitest";
import { roundTrip } from "../shared/round-trip.js";

test("a value is read back", async () => {
  const { SEED, ENVIRONMENT } = process.env;
  const read = await roundTrip(connect, { seeds: [SEED] }, ENVIRONMENT);
  expect(read).toBe(`written by ${ENVIRONMENT}`);
});
