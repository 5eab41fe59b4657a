import { connect } from "quorate/slim";
import wasm from "quorate/client.wasm?url";
import { showRoundTrip } from "../shared/page.js";

showRoundTrip(connect, { wasm });
