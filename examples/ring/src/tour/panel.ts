// The panel of the tour: a step, its deeds one after the other, and the scenarios behind it.

import { button, element, rebuild, set } from "../element.js";
import { SCENARIOS } from "./scenarios.js";
import type { Scenario } from "./scenarios.js";
import type { Opening, Stage } from "./stage.js";
import { STEPS } from "./steps.js";

export interface TourEvents {
  /** Opens a world; `comparisons`: those are worth watching in it. */
  open(opening: Opening, comparisons: boolean): Promise<void>;
  /** Times the pace by this for as long as the tour waits for something. */
  hasten(haste: number): void;
}

type Place =
  | { readonly at: "step"; readonly index: number }
  | { readonly at: "free" }
  | { readonly at: "scenario"; readonly scenario: Scenario };

export class TourPanel {
  readonly root = element("section", { class: "card tour", "aria-labelledby": "tour-title" });
  readonly #events: TourEvents;
  #place: Place = { at: "step", index: 0 };
  /** Deeds of the step that were begun, and how many of those are done. */
  #begun = 0;
  #done = 0;
  /** What was seen after each deed that is done: the words stay, whatever the world does next. */
  #seen: string[] = [];
  #stage: Stage | undefined;
  /** Whether a deed waits in haste. */
  #hasty = false;

  constructor(events: TourEvents) {
    this.#events = events;
  }

  /** Leaves the tour: the world is the person's own. */
  free(): void {
    this.#place = { at: "free" };
    if (this.#stage) this.#draw(this.#stage);
  }

  update(stage: Stage): void {
    this.#stage = stage;
    const deed = this.#step()?.deeds[this.#done];
    if (deed && this.#begun > this.#done && deed.done(stage)) {
      this.#seen.push(deed.then(stage));
      this.#done += 1;
      this.#rest();
    }
    this.#draw(stage);
  }

  #step() {
    return this.#place.at === "step" ? STEPS[this.#place.index] : undefined;
  }

  async #go(place: Place): Promise<void> {
    this.#rest();
    this.#place = place;
    this.#begun = 0;
    this.#done = 0;
    this.#seen = [];
    this.#stage = undefined;
    const step = this.#step();
    if (step) await this.#events.open(step.opening, step.comparisons ?? false);
    if (place.at === "scenario") await this.#events.open(place.scenario.opening, false);
    if (this.#stage) this.#draw(this.#stage);
  }

  async #deed(): Promise<void> {
    const stage = this.#stage;
    const deed = this.#step()?.deeds[this.#begun];
    if (!stage || !deed) return;
    this.#begun += 1;
    if (deed.haste !== undefined) {
      this.#hasty = true;
      this.#events.hasten(deed.haste);
    }
    await deed.do(stage);
  }

  #rest(): void {
    if (this.#hasty) this.#events.hasten(1);
    this.#hasty = false;
  }

  #draw(stage: Stage): void {
    const place = this.#place;
    const checks = place.at === "scenario" ? place.scenario.checks.map((check) => check.done(stage)) : [];
    const title = place.at === "scenario" ? place.scenario.title : "";
    rebuild(this.root, [place.at, place.at === "step" ? place.index : title, this.#begun, this.#done, checks], () => {
      if (place.at === "step") return this.#drawStep(place.index);
      return place.at === "free" ? this.#drawFree() : this.#drawScenario(place.scenario, checks);
    });
  }

  #drawStep(index: number): HTMLElement[] {
    const step = STEPS[index];
    if (!step) return [];
    const last = index === STEPS.length - 1;
    const over = this.#done === step.deeds.length;
    const deed = step.deeds[this.#begun];
    const waits = this.#begun > this.#done;
    const next = () => void this.#go(last ? { at: "free" } : { at: "step", index: index + 1 });
    const back = () => void this.#go({ at: "step", index: index - 1 });
    return [
      element(
        "div",
        { class: "titled" },
        element("h2", { id: "tour-title" }, step.title),
        element("span", { class: "quiet" }, `${index + 1} of ${STEPS.length}`),
      ),
      element("p", {}, step.text),
      ...this.#seen.map((text) => element("p", { class: "seen-words" }, text)),
      element(
        "div",
        { class: "row" },
        deed && !waits ? button(deed.label, () => void this.#deed(), { class: "primary", "data-name": "deed" }) : undefined,
        // It keeps the focus of whoever goes by the keyboard.
        waits ? button("Watch …", () => {}, { class: "waits", "aria-disabled": "true", "data-name": "deed" }) : undefined,
        over ? button(last ? "To free play" : "Next", next, { class: "primary", "data-name": "deed" }) : undefined,
      ),
      element(
        "div",
        { class: "row minor" },
        button("Back", back, { disabled: index === 0, "data-name": "back" }),
        over ? undefined : button("Skip", next, { "data-name": "skip" }),
        button("Free play", () => this.free(), { "data-name": "free" }),
      ),
    ];
  }

  #drawFree(): HTMLElement[] {
    return [
      element("h2", { id: "tour-title" }, "Free play"),
      element("p", {}, "This world is yours: write, kill, cut, grow. All that you do is in the link of this page."),
      element("p", { class: "quiet" }, "Or solve one of these:"),
      ...SCENARIOS.map((scenario, index) =>
        element(
          "div",
          { class: "row" },
          button(scenario.title, () => void this.#go({ at: "scenario", scenario }), { class: "wide", "data-name": `scenario ${index}` }),
        ),
      ),
      element("div", { class: "row minor" }, button("Take the tour", () => void this.#go({ at: "step", index: 0 }), { "data-name": "tour" })),
    ];
  }

  #drawScenario(scenario: Scenario, checks: readonly boolean[]): HTMLElement[] {
    const solved = checks.every((done) => done);
    const list = element(
      "ul",
      { class: "checks" },
      ...scenario.checks.map(({ label }, index) => {
        const done = checks[index] ?? false;
        return element("li", { class: done ? "done" : "open" }, element("span", { class: "unseen" }, done ? "Done: " : "Open: "), label);
      }),
    );
    const head = element("h2", { id: "tour-title" }, scenario.title);
    const solvedText = element("p", { class: "seen-words", role: "status" }, "Solved. The link of this page replays how.");
    set(solvedText, { hidden: !solved });
    return [
      head,
      element("p", {}, scenario.task),
      list,
      solvedText,
      element(
        "div",
        { class: "row minor" },
        button("Begin again", () => void this.#go({ at: "scenario", scenario }), { "data-name": "again" }),
        button("Free play", () => this.free(), { "data-name": "free" }),
      ),
    ];
  }
}
