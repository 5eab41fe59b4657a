// Messages on their way, drawn on a canvas below the ring: many move at once, and each only for a
// moment. Shapes tell the sorts apart, not colours alone.

import type { Place } from "quorate/sim";

import { set } from "../element.js";
import { HALF, along, bendOf, clientPoint, nodePoint } from "../ring/geometry.js";
import type { Point } from "../ring/geometry.js";
import type { Message, Sort } from "./messages.js";

type Colours = Readonly<Record<Sort | "lost", string>>;

/** How strongly gossip and comparisons are drawn: as much as that of a usual second, or more of it. */
const FAINT_MAX = 0.45;
const FAINT_MIN = 0.15;
const GOSSIP_USUAL = 24;

export class MessageCanvas {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #still = matchMedia("(prefers-reduced-motion: reduce)");
  #colours: Colours;
  #side = 0;
  #empty = true;
  #faint = FAINT_MAX;

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("This browser has no canvas.");
    this.#canvas = canvas;
    this.#context = context;
    this.#colours = this.#read();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => (this.#colours = this.#read()));
    new ResizeObserver(([entry]) => this.#fit(entry?.contentRect.width ?? 0)).observe(canvas);
  }

  draw(messages: readonly Message[], now: number, nodes: number, clients: number): void {
    if (messages.length === 0 && this.#empty) return;
    set(this.#canvas, {
      "data-flying": messages.length,
      "data-copies": messages.filter(({ sort }) => sort === "copy").length,
    });
    const context = this.#context;
    const scale = this.#canvas.width / (2 * HALF);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.setTransform(scale, 0, 0, scale, this.#canvas.width / 2, this.#canvas.height / 2);
    // On a small screen what is drawn must grow, or nobody sees it.
    const size = this.#side < 480 ? 1.6 : 1;
    const point = (place: Place): Point =>
      "node" in place ? nodePoint(place.node, nodes) : clientPoint(place.client, clients);
    const gossip = messages.filter(({ sort }) => sort === "gossip").length;
    // Much gossip at once is drawn the fainter.
    this.#faint = Math.max(FAINT_MIN, Math.min(FAINT_MAX, FAINT_MAX * (GOSSIP_USUAL / Math.max(1, gossip))));
    for (const message of messages) {
      const span = message.arrives - message.sent;
      const progress = span <= 0 ? 1 : Math.min(1, Math.max(0, (now - message.sent) / span));
      this.#one(message, point(message.from), point(message.to), progress, size);
    }
    this.#empty = messages.length === 0;
  }

  #one(message: Message, from: Point, to: Point, progress: number, size: number): void {
    const context = this.#context;
    const faint = message.sort === "gossip" || message.sort === "compare";
    const colour = this.#colours[message.sort];
    context.globalAlpha = faint ? this.#faint : 1;
    context.strokeStyle = colour;
    context.fillStyle = colour;
    // What stands still for whoever wants no motion: the whole way, for as long as it takes.
    const tail = this.#still.matches ? 0 : Math.max(0, progress - (faint ? 0.12 : 0.3));
    const head = this.#still.matches ? 1 : progress;
    const ends = message.lost !== undefined ? Math.min(head, 0.55) : head;
    this.#way(from, to, Math.min(tail, ends), ends, faint ? 1.5 : 3, size);
    if (message.lost !== undefined && head > 0.5) return this.#fizzle(along(from, to, 0.55), head, size);
    this.#head(message, along(from, to, ends), size);
  }

  #way(from: Point, to: Point, begin: number, end: number, width: number, size: number): void {
    if (end <= begin) return;
    // A part of the curve is a curve again, of the same bend.
    const bend = bendOf(from, to);
    const mix = (a: Point, b: Point, share: number): Point => ({ x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share });
    const control = mix(mix(from, bend, begin), mix(bend, to, begin), end);
    const [first, last] = [along(from, to, begin), along(from, to, end)];
    const context = this.#context;
    context.lineWidth = width * size;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(first.x, first.y);
    context.quadraticCurveTo(control.x, control.y, last.x, last.y);
    const alpha = context.globalAlpha;
    context.globalAlpha = alpha * 0.45;
    context.stroke();
    context.globalAlpha = alpha;
  }

  /** Questions are full, answers hollow; copies are square. */
  #head({ sort, frame }: Message, { x, y }: Point, size: number): void {
    const context = this.#context;
    const radius = (sort === "gossip" || sort === "compare" ? 3 : 7) * size;
    const answers = frame === "reply" || frame === "replicaMerged" || frame === "compared";
    context.beginPath();
    if (sort === "copy") context.rect(x - radius * 0.85, y - radius * 0.85, radius * 1.7, radius * 1.7);
    else context.arc(x, y, radius, 0, 2 * Math.PI);
    if (!answers) return context.fill();
    context.lineWidth = 2.5 * size;
    context.stroke();
  }

  #fizzle({ x, y }: Point, progress: number, size: number): void {
    const context = this.#context;
    context.strokeStyle = this.#colours.lost;
    context.globalAlpha = Math.max(0, 2 - 2 * progress);
    context.lineWidth = 3 * size;
    const arm = (6 + 8 * progress) * size;
    context.beginPath();
    for (const [dx, dy] of [[1, 1], [1, -1], [-1, 1], [-1, -1]] as const) {
      context.moveTo(x + dx * arm * 0.4, y + dy * arm * 0.4);
      context.lineTo(x + dx * arm, y + dy * arm);
    }
    context.stroke();
  }

  #fit(side: number): void {
    this.#side = side;
    const pixels = Math.round(side * Math.min(2, devicePixelRatio));
    this.#canvas.width = pixels;
    this.#canvas.height = pixels;
    this.#empty = false;
  }

  #read(): Colours {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(`--message-${name}`).trim();
    return {
      call: colour("call"),
      copy: colour("copy"),
      compare: colour("compare"),
      gossip: colour("gossip"),
      lost: colour("lost"),
    };
  }
}
