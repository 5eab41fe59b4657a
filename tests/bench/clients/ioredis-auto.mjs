// The same with autopipelining: commands of one turn of the event loop go out together.

import { connect } from "./ioredis.mjs";

export const open = ({ servers }) => connect(servers, { enableAutoPipelining: true });
