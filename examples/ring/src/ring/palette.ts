// Colours of owners. Eight that colour-blind people tell apart, in `styles/colours.css`; beyond
// eight nodes they repeat, with one more line drawn along the band each time around.

export const COLOURS = 8;

/** The classes that give an element the colour of a node. */
export function ownerClass(node: number | undefined): string {
  return node === undefined ? "owner-none" : `owner-${node % COLOURS}`;
}

/** How many lines tell this node from others of its colour. */
export function linesOf(node: number): number {
  return Math.floor(node / COLOURS);
}
