// One call as a diagram of sequence: a lane for the client and for each node that took part, and a
// line for each message, from when it was sent to when it arrived.

import type { Place, RunView } from "quorate/sim";

import { shape } from "../element.js";
import { placeName, short } from "../words.js";
import type { Leg, Operation } from "./operations.js";

const LANE = 34;
const LEFT = 74;
const RIGHT = 12;
const TOP = 14;
const WIDTH = 360;
/** Beyond that a call has gone on in the background for so long that nobody wants to see it. */
const LEGS_SHOWN = 60;

export function diagram(operation: Operation, view: RunView): SVGSVGElement {
  const legs = operation.legs.slice(0, LEGS_SHOWN);
  const lanes = laneNames(operation, legs);
  const last = Math.max(operation.ended ?? 0, ...legs.map(({ sent, arrives }) => arrives ?? sent), operation.began + 0.1);
  const x = (at: number) => LEFT + ((at - operation.began) / (last - operation.began)) * (WIDTH - LEFT - RIGHT);
  const y = (place: Place) => TOP + LANE * Math.max(0, lanes.findIndex((lane) => nameOf(lane) === nameOf(place)));
  const height = TOP + LANE * (lanes.length - 1) + TOP;
  const svg = shape("svg", {
    class: "diagram",
    viewBox: `0 0 ${WIDTH} ${height}`,
    role: "img",
    "aria-label": `${legs.length} messages between ${lanes.map((lane) => placeName(view, lane)).join(", ")}`,
  });
  for (const lane of lanes) {
    svg.append(
      shape("text", { x: 0, y: y(lane), dy: "0.36em" }, short(placeName(view, lane), 9)),
      shape("path", { class: "lane", d: `M${LEFT} ${y(lane)}H${WIDTH - RIGHT}` }),
    );
  }
  for (const leg of legs) svg.append(...drawn(leg, x, y));
  if (operation.ended !== undefined) {
    svg.append(shape("path", { class: "ended", d: `M${x(operation.ended)} ${TOP - 8}V${height - TOP + 8}` }));
  }
  return svg;
}

function drawn(leg: Leg, x: (at: number) => number, y: (place: Place) => number): SVGElement[] {
  const from = { x: x(leg.sent), y: y(leg.from) };
  if (leg.arrives === undefined) {
    const middle = (from.y + y(leg.to)) / 2;
    return [
      shape("path", { class: "leg lost", d: `M${from.x} ${from.y}L${from.x + 6} ${middle}` }),
      shape("path", { class: "leg lost", d: `M${from.x + 2} ${middle - 4}l8 8m0 -8l-8 8` }),
    ];
  }
  const to = { x: x(leg.arrives), y: y(leg.to) };
  return [
    shape("path", { class: "leg", d: `M${from.x} ${from.y}L${to.x} ${to.y}` }),
    shape("circle", { class: "leg", cx: to.x, cy: to.y, r: 3 }),
  ];
}

/** The client, the coordinator, then whoever else took part, in the order of appearance. */
function laneNames({ client, coordinator }: Operation, legs: readonly Leg[]): Place[] {
  const lanes: Place[] = [{ client }];
  if (coordinator !== undefined) lanes.push({ node: coordinator });
  for (const place of legs.flatMap(({ from, to }) => [from, to])) {
    if (!lanes.some((lane) => nameOf(lane) === nameOf(place))) lanes.push(place);
  }
  return lanes;
}

function nameOf(place: Place): string {
  return "node" in place ? `node ${place.node}` : `client ${place.client}`;
}
