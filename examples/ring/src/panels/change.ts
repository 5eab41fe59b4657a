// Changing the layout: stage members and weights, look at the plan, commit it.

import type { PlanView, PlannedMember, RunView } from "quorate/sim";

import { button, element, folded, rebuild, say, set } from "../element.js";
import type { Scene } from "../scene.js";
import { counted, nodeName } from "../words.js";
import type { Hands } from "./hands.js";

const WEIGHT_MAX = 9;

export class Change {
  readonly root: HTMLDetailsElement;
  readonly #hands: Hands;
  readonly #members = element("div", { class: "members" });
  readonly #plan = element("div", { class: "plan" });
  readonly #commit: HTMLButtonElement;
  readonly #discard: HTMLButtonElement;
  readonly #state = element("p", { class: "quiet" });
  #scene: Scene | undefined;

  constructor(hands: Hands) {
    this.#hands = hands;
    this.#commit = button("Commit", () => void this.#enforce(), { class: "primary", "data-name": "commit" });
    this.#discard = button("Discard", () => this.#stage(undefined), { "data-name": "discard" });
    this.root = folded(
      "Change the ring",
      { class: "card change" },
      element("p", { class: "quiet" }, "Stage who is a member and how much each carries; the plan shows what would move. Nothing moves before the commit."),
      this.#members,
      this.#plan,
      element("div", { class: "row" }, this.#commit, this.#discard),
      this.#state,
    );
  }

  update(scene: Scene): void {
    this.#scene = scene;
    const { view, choice } = scene;
    const staged = choice.staged ?? members(view);
    rebuild(this.#members, [view.nodes.map(({ label }) => label), staged], () => view.nodes.map((_, node) => this.#row(view, node, staged)));
    rebuild(this.#plan, choice.plan, () => (choice.plan ? figures(choice.plan, view) : []));
    set(this.#commit, { disabled: choice.plan === undefined || !this.#hands.allows("layout") });
    set(this.#discard, { disabled: choice.staged === undefined });
    say(this.#state, progress(view));
  }

  #row(view: RunView, node: number, staged: readonly PlannedMember[]): HTMLElement {
    const name = nodeName(view, node);
    const weight = staged.find((member) => member.node === node)?.weight ?? 0;
    const to = (next: number) => () => {
      const others = staged.filter((member) => member.node !== node);
      const changed = next === 0 ? others : [...others, { node, weight: next }];
      this.#stage(changed.sort((a, b) => a.node - b.node));
    };
    return element(
      "div",
      { class: "member" },
      element("span", {}, name),
      button("−", to(weight - 1), { "aria-label": `Less weight for ${name}`, disabled: weight === 0, "data-name": `less ${node}` }),
      element("output", { "aria-label": `Weight of ${name}` }, weight === 0 ? "out" : String(weight)),
      button("+", to(weight + 1), { "aria-label": `More weight for ${name}`, disabled: weight === WEIGHT_MAX, "data-name": `more ${node}` }),
    );
  }

  #stage(staged: PlannedMember[] | undefined): void {
    const same = staged && this.#scene && JSON.stringify(staged) === JSON.stringify(members(this.#scene.view));
    stage(this.#hands, same ? undefined : staged);
  }

  async #enforce(): Promise<void> {
    const staged = this.#scene?.choice.staged;
    if (!staged) return;
    this.#stage(undefined);
    await this.#hands.act({ do: "layout", members: staged });
  }
}

/** Stages members, and shows what would move; `undefined`: nothing is staged any more. */
export function stage(hands: Hands, staged: readonly PlannedMember[] | undefined): void {
  const plan = staged && hands.plan(staged);
  if (plan && "refused" in plan) hands.tell(plan.refused);
  hands.choose({ staged, plan: plan && "refused" in plan ? undefined : plan });
}

/** The members of the newest layout with their weights, as a plan takes them. */
export function members(view: RunView): PlannedMember[] {
  return view.nodes.flatMap(({ member, weight }, node) => (member ? [{ node, weight }] : []));
}

function figures({ version, moved, balance, changes, limits }: PlanView, view: RunView): HTMLElement[] {
  const [before, after] = balance.map((ratio) => ratio.toFixed(2));
  return [
    element("p", {}, `Layout ${version} moves ${moved} of ${counted(view.owners.length, "slot")}; greatest load over the mean ${before} → ${after}.`),
    ...limits.map((limit) => element("p", { class: "quiet" }, limit)),
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...["Node", "Slots gained", "Given"].map((name) => element("th", { scope: "col" }, name)))),
      element(
        "tbody",
        {},
        ...changes.map(({ node, gains, gives }) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, nodeName(view, node)),
            element("td", { class: "number" }, gains === 0 ? "–" : `+${gains}`),
            element("td", { class: "number" }, gives === 0 ? "–" : `−${gives}`),
          ),
        ),
      ),
    ),
  ];
}

/** How far a change is. */
function progress(view: RunView): string {
  const filling = view.nodes.filter(({ slotsToFill }) => slotsToFill > 0);
  const left = filling.reduce((sum, { slotsToFill }) => sum + slotsToFill, 0);
  if (left > 0) return `Layout ${view.version}: ${counted(left, "slot")} still to fill by ${counted(filling.length, "node")}.`;
  const behind = view.nodes.filter(({ layouts }) => layouts && layouts.oldest !== layouts.newest).length;
  if (behind > 0) return `Layout ${view.version} is filled; ${counted(behind, "node")} still keep the former one in force.`;
  return `Layout ${view.version} is in force.`;
}
