import { connect } from "quorate";
import { roundTrip } from "../shared/round-trip.js";

onmessage = async ({ data: { seed, environment } }) => {
  postMessage(await roundTrip(connect, { seeds: [seed] }, environment));
};
