// The preference list by a naive walk: a second implementation, to compare with.

export interface WalkMember {
  id: string;
  zone: string;
}

/** Ids of the nodes met clockwise from `slot`, each once: the first N with new zones in front. */
export function walk(members: readonly WalkMember[], owners: readonly number[], slot: number): string[] {
  const met: WalkMember[] = [];
  for (let step = 0; step < owners.length; step += 1) {
    const owner = members[owners[(slot + step) % owners.length] ?? -1];
    if (owner && !met.includes(owner)) met.push(owner);
  }
  const zones = new Set<string>();
  const first: WalkMember[] = [];
  const others: WalkMember[] = [];
  for (const member of met) {
    (zones.has(member.zone) ? others : first).push(member);
    zones.add(member.zone);
  }
  return [...first, ...others].map(({ id }) => id);
}
