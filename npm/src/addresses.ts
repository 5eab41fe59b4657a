// Where nodes are dialled, for clients that see them under other addresses than they call their own.

import { badArgument, QuorateError } from "./errors.js";
import type { AddressMap } from "./public.js";
import type { OpenSocket } from "./websocket.js";

/** Opens sockets to the addresses that `map` gives. */
export function mapped(map: AddressMap | undefined, open: OpenSocket): OpenSocket {
  if (map === undefined) return open;
  if (typeof map !== "function" && (typeof map !== "object" || map === null)) {
    throw badArgument("connect: `addressMap` is an object from addresses to addresses, or a function.");
  }
  const entries = new Map(Object.entries(map));
  const find = typeof map === "function" ? map : (address: string) => entries.get(address) ?? address;
  return (address) => {
    const target = find(address);
    if (typeof target === "string") return open(target);
    // It shows as the reason why there is no connection.
    throw new QuorateError(`addressMap gave no address for ${address}`, { code: "BAD_ARGUMENT" });
  };
}
