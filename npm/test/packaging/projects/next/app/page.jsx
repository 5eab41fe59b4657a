"use client";

import { connect } from "quorate";
import { useEffect } from "react";
import { showRoundTrip } from "../../shared/page.js";

export default function Page() {
  useEffect(() => {
    showRoundTrip(connect);
  }, []);
  return <p>The title of this page tells the outcome.</p>;
}
