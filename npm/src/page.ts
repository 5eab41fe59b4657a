// What browsers tell of the network and of the page. Elsewhere there is nothing to listen to.

/** Calls `onOnline` when the network is back, `onShown` when people look at the page again. */
export function listen(onOnline: () => void, onShown: () => void): () => void {
  const { document: page } = globalThis as { document?: EventTarget & { visibilityState?: string } };
  const onVisible = () => {
    if (page?.visibilityState === "visible") onShown();
  };
  const on = (target: Partial<EventTarget> | undefined, name: string, run: () => void) => {
    target?.addEventListener?.(name, run);
    return () => target?.removeEventListener?.(name, run);
  };
  const offs = [on(globalThis, "online", onOnline), on(page, "visibilitychange", onVisible)];
  return () => offs.forEach((off) => off());
}
