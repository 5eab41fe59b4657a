// Where things stand in the picture: in units of its view box, the middle of the ring at 0, 0,
// position 0 of the ring at the top, and clockwise from there.

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Half of the side of the view box. */
export const HALF = 400;
export const SLOTS_OUTER = 372;
export const SLOTS_INNER = 338;
/** The band outside of the slots: the walk, and what a plan would change. */
export const MARKS_OUTER = 392;
export const MARKS_INNER = 377;
export const NODES = 258;
export const CLIENTS = 66;

const POSITIONS = 2n ** 128n;

export function onCircle(radius: number, turn: number): Point {
  const angle = turn * 2 * Math.PI;
  return { x: radius * Math.sin(angle), y: -radius * Math.cos(angle) };
}

/** The share of a whole turn at which a position stands, given as 32 hexadecimal digits. */
export function turnOfPosition(position: string): number {
  // 2^32 steps are finer than any screen, and exact as a number.
  return Number((BigInt(`0x${position}`) * 2n ** 32n) / POSITIONS) / 2 ** 32;
}

export function turnOfNode(node: number, count: number): number {
  return node / count;
}

export function nodePoint(node: number, count: number): Point {
  return onCircle(NODES, turnOfNode(node, count));
}

/** Nodes shrink until all of them have a place side by side. */
export function nodeRadius(count: number): number {
  const room = (2 * Math.PI * NODES) / Math.max(count, 1);
  return Math.max(8, Math.min(30, room * 0.36));
}

export function clientPoint(client: number, count: number): Point {
  return count === 1 ? { x: 0, y: 0 } : onCircle(CLIENTS, turnOfNode(client, count));
}

/** The outline of an arc from one turn to another, between two radii; never a whole ring. */
export function arcPath(from: number, to: number, inner: number, outer: number): string {
  const large = to - from > 0.5 ? 1 : 0;
  const [a, b] = [onCircle(outer, from), onCircle(outer, to)];
  const [c, d] = [onCircle(inner, to), onCircle(inner, from)];
  const step = ({ x, y }: Point) => `${round(x)} ${round(y)}`;
  return `M${step(a)}A${outer} ${outer} 0 ${large} 1 ${step(b)}L${step(c)}A${inner} ${inner} 0 ${large} 0 ${step(d)}Z`;
}

/** The arc of a slot, with a thin gap to its neighbours. */
export function slotPath(slot: number, slots: number, inner: number, outer: number): string {
  const gap = slots > 256 ? 0 : 0.0006;
  // A ring of one slot is an arc with a gap, too: an arc cannot close on itself.
  const to = slots === 1 ? 0.999 : (slot + 1) / slots - gap;
  return arcPath(slot / slots + (slots === 1 ? 0 : gap), to, inner, outer);
}

/** The slot under a point, or nothing where the point is off the band of the slots. */
export function slotAt({ x, y }: Point, slots: number): number | undefined {
  const radius = Math.hypot(x, y);
  if (radius < SLOTS_INNER || radius > SLOTS_OUTER) return undefined;
  return Math.min(slots - 1, Math.floor(turnOf({ x, y }) * slots));
}

/** The share of a turn at which a point is seen from the middle. */
export function turnOf({ x, y }: Point): number {
  const turn = Math.atan2(x, -y) / (2 * Math.PI);
  return turn < 0 ? turn + 1 : turn;
}

/** The nodes on the left of a line drawn from one point to another, looking along it. */
export function leftOf(from: Point, to: Point, points: readonly Point[]): number[] {
  const side = ({ x, y }: Point) => (to.x - from.x) * (y - from.y) - (to.y - from.y) * (x - from.x);
  return points.flatMap((point, index) => (side(point) < 0 ? [index] : []));
}

/** A line made longer at both ends until it leaves the ring. */
export function across(from: Point, to: Point): readonly [Point, Point] {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const [dx, dy] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const along = from.x * dx + from.y * dy;
  const off = { x: from.x - along * dx, y: from.y - along * dy };
  const reach = Math.sqrt(Math.max(0, MARKS_OUTER ** 2 - off.x ** 2 - off.y ** 2));
  return [
    { x: off.x - reach * dx, y: off.y - reach * dy },
    { x: off.x + reach * dx, y: off.y + reach * dy },
  ];
}

/**
 * The way of a message: a curve that keeps to its right, so that question and answer do not meet.
 * `progress` goes from 0 to 1.
 */
export function along(from: Point, to: Point, progress: number): Point {
  const bend = bendOf(from, to);
  const rest = 1 - progress;
  return {
    x: rest * rest * from.x + 2 * rest * progress * bend.x + progress * progress * to.x,
    y: rest * rest * from.y + 2 * rest * progress * bend.y + progress * progress * to.y,
  };
}

/** The control point of that curve. */
export function bendOf(from: Point, to: Point): Point {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  return { x: (from.x + to.x) / 2 - dy * 0.09, y: (from.y + to.y) / 2 + dx * 0.09 };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
