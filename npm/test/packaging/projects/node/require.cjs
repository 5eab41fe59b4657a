const { connect } = require("quorate");
const { roundTrip } = require("../shared/round-trip.cjs");

roundTrip(connect, { seeds: [process.env.SEED] }, process.env.ENVIRONMENT).then(console.log);
