// What a client tells a logger about itself.

import { badArgument } from "./errors.js";
import type { Logger } from "./public.js";
import type { Observers } from "./status.js";

const LEVELS = ["debug", "info", "warn"] as const;

/** Each line is one text, for whatever reads logs. */
export function log(observers: Observers, logger: Logger | undefined): void {
  if (logger === undefined) return;
  if (logger === null || !LEVELS.every((level) => typeof logger[level] === "function")) {
    throw badArgument("connect: `logger` has the functions debug, info and warn, as console does.");
  }
  observers.on("connected", ({ node, address }) => {
    logger.info(`quorate: connected to node ${node} at ${address}`);
  });
  observers.on("disconnected", ({ node, address }) => {
    const who = node === undefined ? address : `node ${node} at ${address}`;
    logger.debug(`quorate: no connection to ${who} any more`);
  });
  observers.on("nodedown", ({ node, reason }) => {
    logger.warn(`quorate: node ${node} is down (${reason}): calls go around it`);
  });
  observers.on("nodeup", ({ node }) => logger.info(`quorate: node ${node} is up again`));
  observers.on("failed", ({ error }) => logger.warn(`quorate: ${error.message}`));
  observers.on("layout", ({ version }) => logger.info(`quorate: layout ${version} is in force`));
}
