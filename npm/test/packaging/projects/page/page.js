import { connect } from "quorate";
import { showRoundTrip } from "../shared/page.js";

showRoundTrip(connect);
