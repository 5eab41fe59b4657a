// Ready ways to make one value of several siblings, which come newest first.

/** The one that was written last, by the clocks of the nodes. What the others say is lost. */
export function lastWrite<V>(siblings: readonly V[]): V {
  return siblings[0] as V;
}

/** The greatest one. */
export function max<V extends number | bigint | string | Date>(siblings: readonly V[]): V {
  return siblings.reduce((most, one) => (one > most ? one : most));
}

/** All elements of all lists, each once: two are the same where their JSON is. */
export function union<T>(siblings: readonly (readonly T[])[]): T[] {
  const found = new Map<string, T>();
  for (const element of siblings.flat() as T[]) {
    const name = JSON.stringify(element);
    if (!found.has(name)) found.set(name, element);
  }
  return [...found.values()];
}

/** All fields of all objects; of a field that several have, the newest. */
export function mergeObject<V extends object>(siblings: readonly V[]): V {
  return Object.assign({}, ...[...siblings].reverse()) as V;
}
