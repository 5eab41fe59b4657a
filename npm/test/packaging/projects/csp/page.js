import { connect } from "/node_modules/quorate/dist/index.js";
import { showRoundTrip } from "/shared/page.js";

showRoundTrip(connect);
