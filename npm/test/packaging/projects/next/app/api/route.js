import { connect } from "quorate";
import { roundTrip } from "../../../shared/round-trip.js";

export async function GET(request) {
  const query = new URL(request.url).searchParams;
  return new Response(await roundTrip(connect, { seeds: [query.get("seed")] }, query.get("environment")));
}
