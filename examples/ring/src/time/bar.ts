// The bar of time: play, pause, step, pace, and the slider back to any moment.

import { button, element, labelled, say, set } from "../element.js";
import { clockTime } from "../words.js";
import { FACTORS } from "./pace.js";

export interface TimeEvents {
  play(playing: boolean): void;
  step(): void;
  pace(factor: number): void;
  seek(at: number): void;
  copyLink(): void;
}

export interface TimeState {
  readonly playing: boolean;
  readonly now: number;
  readonly horizon: number;
  /** Virtual milliseconds per real one. */
  readonly speed: number;
  readonly forks: boolean;
  readonly factor: number;
}

export class TimeBar {
  readonly root = element("section", { class: "time", "aria-label": "Time" });
  readonly #play: HTMLButtonElement;
  readonly #slider = element("input", { type: "range", min: 0, max: 1, step: 1, value: 0, "aria-label": "Moment", "data-name": "moment" });
  readonly #now = element("output", { class: "now", "aria-label": "Virtual time" });
  readonly #speed = element("span", { class: "speed", "aria-hidden": "true" });
  readonly #pace = element(
    "select",
    { "aria-label": "Pace" },
    ...FACTORS.map((factor) => element("option", { value: factor, selected: factor === 1 }, `${factor} ×`)),
  );
  readonly #fork = element("p", { class: "fork quiet", hidden: true }, "You are in the past. What was done later happens again; if you act here, another course begins, and the back button leads to this one.");
  /** While a person holds the slider, time does not move it away. */
  #held = false;
  #playing = true;

  constructor(events: TimeEvents) {
    this.#play = button("Pause", () => events.play(!this.#playing), { class: "play", "data-name": "play" });
    this.#slider.addEventListener("input", () => {
      this.#held = true;
      this.#name(this.#slider.valueAsNumber);
    });
    this.#slider.addEventListener("change", () => {
      this.#held = false;
      events.seek(this.#slider.valueAsNumber);
    });
    this.#pace.addEventListener("change", () => events.pace(Number(this.#pace.value)));
    this.root.append(
      element(
        "div",
        { class: "row" },
        this.#play,
        button("Step", () => events.step(), { title: "To the next thing that happens (.)", "data-name": "step" }),
        labelled("Pace", this.#pace),
        this.#speed,
        button("Copy link", () => events.copyLink(), { title: "A link that replays this run up to now", "data-name": "link" }),
      ),
      element("div", { class: "row slide" }, this.#slider, this.#now),
      this.#fork,
    );
  }

  update({ playing, now, horizon, speed, forks, factor }: TimeState): void {
    this.#playing = playing;
    say(this.#play, playing ? "Pause" : "Play");
    say(this.#speed, playing ? speedText(speed) : "stands still");
    set(this.#fork, { hidden: !forks });
    if (this.#pace !== document.activeElement) this.#pace.value = String(factor);
    if (this.#held) return;
    set(this.#slider, { max: Math.max(1, Math.ceil(horizon)) });
    this.#slider.value = String(Math.round(now));
    this.#name(now);
  }

  #name(at: number): void {
    say(this.#now, clockTime(at));
    set(this.#slider, { "aria-valuetext": clockTime(at) });
  }
}

/** The pace as one over how much slower than life it is. */
function speedText(speed: number): string {
  if (speed >= 0.95) return `${Math.round(speed)} × life`;
  return `1/${Math.round(1 / speed).toLocaleString("en")} of life`;
}
