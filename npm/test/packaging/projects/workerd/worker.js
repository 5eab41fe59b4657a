import { connect } from "quorate";
import { roundTrip } from "../shared/round-trip.js";

export default {
  async fetch(request) {
    const query = new URL(request.url).searchParams;
    const read = await roundTrip(connect, { seeds: [query.get("seed")] }, query.get("environment"));
    return new Response(read);
  },
};
