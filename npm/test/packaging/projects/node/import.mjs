import { connect } from "quorate";
import { roundTrip } from "../shared/round-trip.js";

console.log(await roundTrip(connect, { seeds: [process.env.SEED] }, process.env.ENVIRONMENT));
