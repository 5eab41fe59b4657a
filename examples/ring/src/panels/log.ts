// What nodes tell people, and what people did: one line each, newest first.

import type { Happening, RunView } from "quorate/sim";

import { element, folded } from "../element.js";
import { clockTime, nodeName, short } from "../words.js";

const LINES_MAX = 200;

const WHAT = { up: "is up", down: "is dead", paused: "stands still", resumed: "goes on", wiped: "lost its disk" } as const;

export class Log {
  readonly #list = element("ol", { class: "log", tabindex: 0, "aria-label": "Events, newest first" });
  readonly root = folded("Events", { class: "card events" }, this.#list);

  add(happened: readonly Happening[], view: RunView): void {
    const lines = happened.flatMap((happening) => {
      const text = sentence(happening, view);
      return text === undefined ? [] : [{ at: happening.at, text }];
    });
    for (const { at, text } of lines) {
      this.#list.prepend(element("li", {}, element("span", { class: "at" }, clockTime(at)), element("span", {}, text)));
    }
    while (this.#list.children.length > LINES_MAX) this.#list.lastElementChild?.remove();
  }

  clear(): void {
    this.#list.replaceChildren();
  }
}

/** What is worth a line; most happenings are not. */
export function sentence(happening: Happening, view: RunView): string | undefined {
  if (happening.kind === "node") return `${nodeName(view, happening.node)} ${WHAT[happening.what]}.`;
  if (happening.kind === "told") return `${nodeName(view, happening.node)}: ${happening.text}`;
  if (happening.kind === "stored" && happening.hintFor !== undefined) {
    return `${nodeName(view, happening.node)} keeps a hint of “${short(happening.key)}” for ${nodeName(view, happening.hintFor)}.`;
  }
  if (happening.kind === "removed" && happening.hintFor !== undefined) {
    return `The hint of “${short(happening.key)}” for ${nodeName(view, happening.hintFor)} went home from ${nodeName(view, happening.node)}.`;
  }
  return undefined;
}
