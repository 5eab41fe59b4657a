const { connect } = require("quorate");
const { roundTrip } = require("../shared/round-trip.cjs");

test("a value is read back", async () => {
  const { SEED, ENVIRONMENT } = process.env;
  const read = await roundTrip(connect, { seeds: [SEED] }, ENVIRONMENT);
  expect(read).toBe(`written by ${ENVIRONMENT}`);
});
