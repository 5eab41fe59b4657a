// When addresses that failed are dialled again, where users say it with a function.

import { NEVER } from "./commands.js";
import { badArgument } from "./errors.js";
import type { ConnectOptions } from "./public.js";
import type { Observers } from "./status.js";

/** Asks `reconnect` after each failure; until it has answered the machine's own wait holds. */
export function redial(
  observers: Observers,
  reconnect: ConnectOptions["reconnect"],
  tell: (address: string, wait: number) => void,
): void {
  if (typeof reconnect !== "function") return;
  const attempts = new Map<string, number>();
  observers.on("connected", ({ address }) => void attempts.delete(address));
  observers.on("disconnected", ({ address }) => {
    const attempt = (attempts.get(address) ?? 0) + 1;
    attempts.set(address, attempt);
    const wait = reconnect(attempt);
    if (wait === false) tell(address, NEVER);
    else if (typeof wait === "number" && wait >= 0) tell(address, Math.min(Math.ceil(wait), NEVER - 1));
    else throw badArgument("`reconnect` must return milliseconds, or false to give the address up.");
  });
}
