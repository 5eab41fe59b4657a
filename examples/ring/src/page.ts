// The page: one source, the picture of it, the panels, and the loop that moves them.
//
// Each frame lets virtual time pass and draws the messages; the picture and the panels are brought
// up to date a few times a second, and at once when something worth it happened.

import type { Action, Happening, PlannedMember } from "quorate/sim";

import { element, say, set } from "./element.js";
import { encode } from "./link.js";
import { LiveCluster } from "./live/cluster.js";
import { Ask } from "./panels/ask.js";
import { Change } from "./panels/change.js";
import { ComparisonPanel } from "./panels/comparisons.js";
import type { Hands } from "./panels/hands.js";
import { LivePanel } from "./panels/live.js";
import { Log, sentence } from "./panels/log.js";
import { Network } from "./panels/network.js";
import { NodePanel } from "./panels/node.js";
import { StateText } from "./panels/text.js";
import { Where } from "./panels/where.js";
import { worldPanel } from "./panels/world.js";
import { Picture } from "./ring/picture.js";
import { describe as describeNode } from "./ring/nodes.js";
import { describe as describeSlot } from "./ring/slots.js";
import { focused, nothingChosen } from "./scene.js";
import type { Choice, Scene } from "./scene.js";
import type { Source } from "./source.js";
import { TimeBar } from "./time/bar.js";
import { Pace } from "./time/pace.js";
import { Session } from "./time/session.js";
import { TourPanel } from "./tour/panel.js";
import type { Opening } from "./tour/stage.js";
import { MessageCanvas } from "./traffic/canvas.js";
import { Comparisons } from "./traffic/comparisons.js";
import { Messages } from "./traffic/messages.js";
import { Operations } from "./traffic/operations.js";
import { title, standing } from "./traffic/receipt.js";
import { Timeline } from "./traffic/timeline.js";

/** Real milliseconds between two looks at the world: with news, and without. */
const LOOK_NEWS_MS = 100;
const LOOK_MS = 400;
/** A look takes at most one part in so many of the time: a large world is looked at less often. */
const LOOK_SHARE = 20;
/** A frame after a long sleep of the tab does not make up for it. */
const FRAME_MAX_MS = 100;
/** Real milliseconds for which a message is seen at least. */
const SEEN_MS = 350;
/** Below that pace, in virtual milliseconds per real one, messages are seen as they are. */
const SLOW = 0.02;
/** A step looks this far for something to happen, by parts of the smaller time. */
const STEP_FAR_MS = 1_000;
const STEP_PART_MS = 0.1;
/** What tools that measure the page look for. */
const FIRST_PICTURE = "first picture";
const HAPPENED_MAX = 5_000;
/** The fragment of the address follows no more often than that: browsers limit it. */
const ADDRESS_MS = 400;

export class Page {
  readonly choice: Choice = nothingChosen();
  readonly operations = new Operations();
  readonly messages = new Messages();
  readonly pace = new Pace();
  readonly #comparisons = new Comparisons();
  readonly #comparisonPanel = new ComparisonPanel(this.#comparisons);
  readonly #picture: Picture;
  readonly #canvas: MessageCanvas;
  readonly #panels: readonly { update(scene: Scene, real: number): void }[];
  readonly #bar: TimeBar;
  readonly #log = new Log();
  readonly #tour: TourPanel;
  readonly #live = new LivePanel();
  /** What has no meaning where the cluster is a live one. */
  readonly #simulatedOnly: readonly HTMLElement[];
  readonly #hands: Hands;
  readonly #caption = element("p", { class: "caption" });
  readonly #told = element("p", { class: "told", role: "status", "aria-live": "polite" });
  readonly #notice = element("p", { class: "notice", role: "alert" });
  readonly #trace = element("output", { class: "trace", "aria-label": "Trace hash" });
  #source: Source;
  #scene: Scene;
  #happened: Happening[] = [];
  #news = true;
  #looked = -Infinity;
  #lookCost = 0;
  #before = performance.now();
  /** Journeys in time, changes of the source, and what people do come one after the other. */
  #queue: Promise<void> = Promise.resolve();
  /** How many of those are not over: meanwhile frames stand still. */
  #waiting = 0;
  #address: ReturnType<typeof setTimeout> | undefined;

  constructor(source: Source) {
    this.#source = source;
    this.#scene = this.#look();
    const hands: Hands = {
      act: (action) => this.#act(action),
      choose: (change) => this.#choose(change),
      plan: (members: readonly PlannedMember[]) => this.#source.plan(members),
      allows: (deed) => this.#source.allows(deed),
      tell: (text) => this.#warn(text),
    };
    this.#hands = hands;
    this.#picture = new Picture({
      chooseNode: (node) => this.#choose({ node: this.choice.node === node ? undefined : node }),
      pointNode: (pointedNode) => this.#choose({ pointedNode }),
      pointSlot: (pointedSlot) => this.#choose({ pointedSlot }),
      chooseClient: (client) => this.#choose({ client }),
      cut: (side) => (side.length > 0 ? void this.#act({ do: "partition", side }) : this.#warn("That line divides nobody.")),
    });
    this.#canvas = new MessageCanvas(this.#picture.canvas);
    this.#bar = new TimeBar({
      play: (playing) => this.#play(playing),
      step: () => this.#step(),
      pace: (factor) => (this.pace.factor = factor),
      seek: (at) => void this.travel(at),
      copyLink: () => void this.#copyLink(),
    });
    this.#tour = new TourPanel({
      open: (opening, comparisons) => this.open(opening, comparisons),
      hasten: (haste) => (this.pace.haste = haste),
    });
    const ask = new Ask(hands);
    const where = new Where();
    const node = new NodePanel(hands);
    const network = new Network(hands, (armed) => (this.#picture.cut.armed = armed));
    const change = new Change(hands);
    const text = new StateText(() => this.messages.flying);
    const timeline = new Timeline((call) => this.#choose({ call }));
    this.#panels = [this.#picture, ask, where, node, network, change, text, timeline, this.#comparisonPanel];
    const world = worldPanel((options) => {
      this.#tour.free();
      void this.open({ options, actions: [], at: 3_000, key: "" }, false);
    });
    this.#simulatedOnly = [this.#bar.root, this.#tour.root, network.root, change.root, world, this.#comparisonPanel.root];
    this.#place(
      [this.#picture.frame, this.#caption, this.#told, this.#notice, this.#bar.root],
      [ask.root, where.root, node.root, network.root, change.root, world],
      [timeline.root, this.#comparisonPanel.root, this.#log.root, text.root],
    );
    document.addEventListener("keydown", (event) => this.#key(event));
    // The ring is seen at once, however long it takes to get to the moment that is asked for.
    this.#refresh(performance.now());
    requestAnimationFrame((real) => this.#frame(real));
  }

  get tour(): TourPanel {
    return this.#tour;
  }

  /** Another source takes the place of this one. */
  show(source: Source, at: number): Promise<void> {
    return this.#inTurn(async () => {
      const former = this.#source;
      this.#source = source;
      try {
        former.close();
      } catch {
        // A simulator that has failed inside cannot be freed; what comes after it goes on.
      }
      Object.assign(this.choice, { ...nothingChosen(), key: this.choice.key });
      this.messages.watchComparisons = false;
      this.#forget();
      this.pace.playing = true;
      await this.#go(at);
    });
  }

  /** Begins a world, and plays it up to where the person comes in. */
  async open({ options, actions, at, key }: Opening, comparisons: boolean): Promise<void> {
    try {
      const session = await Session.open({ options, actions });
      await this.show(session, at);
      this.messages.watchComparisons = comparisons;
      this.#comparisonPanel.root.open = comparisons;
      this.#choose({ key });
    } catch (error) {
      this.#warn(sentenceOf(error));
    }
  }

  /** Goes to a moment, forward or back. */
  travel(at: number): Promise<void> {
    return this.#inTurn(() => this.#go(at));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const main = document.getElementById("page") as HTMLElement;
    this.#waiting += 1;
    set(main, { "aria-busy": "true" });
    this.#queue = this.#queue
      .then(work)
      .catch((error: unknown) => this.#warn(sentenceOf(error)))
      .then(() => {
        this.#waiting -= 1;
        this.#news = true;
        if (this.#waiting === 0) set(main, { "aria-busy": "false" });
        this.#writeAddress();
      });
    return this.#queue;
  }

  async #go(at: number): Promise<void> {
    this.messages.clear();
    for await (const { again, happened } of this.#source.travel(at)) {
      if (again) this.#forget();
      this.#note(happened);
      const { now } = this.#source;
      this.operations.settle(now);
      this.messages.clear();
      this.messages.resume(happened.filter((one) => one.kind === "frame"), now);
      this.#bar.update(this.#timeState());
      // The browser may draw between two parts.
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  /** Says what there is to know. */
  tell(text: string): void {
    say(this.#told, text);
  }

  /** Says that something is wrong, where everybody hears it. */
  warn(text: string): void {
    this.#warn(text);
  }

  #frame(real: number): void {
    const passed = Math.min(FRAME_MAX_MS, real - this.#before);
    this.#before = real;
    try {
      if (this.#waiting === 0) this.#goOn(passed, real);
    } catch (error) {
      this.pace.playing = false;
      this.#warn(sentenceOf(error));
    } finally {
      requestAnimationFrame((next) => this.#frame(next));
    }
  }

  #goOn(passed: number, real: number): void {
    this.pace.frame(passed, () => this.#traffic(), (virtual) => this.#advance(virtual));
    this.#canvas.draw(this.messages.flying, this.#source.now, this.#scene.view.nodes.length, this.#scene.view.clients.length);
    const pause = Math.max(this.#news ? LOOK_NEWS_MS : LOOK_MS, LOOK_SHARE * this.#lookCost);
    if (real - this.#looked > pause) this.#refresh(real);
  }

  #traffic() {
    return { shortest: this.messages.shortest(this.#source.now), busy: this.operations.underWay() };
  }

  #advance(virtual: number): void {
    const happened = this.#source.advance(virtual);
    const { now } = this.#source;
    const speed = this.pace.speed(this.#traffic());
    const frames = happened.filter((one) => one.kind === "frame");
    this.messages.add(frames, now, speed < SLOW ? 0 : speed * SEEN_MS);
    this.messages.drop(happened.filter((one) => one.kind === "dropped"), now);
    this.messages.settle(now, speed < SLOW);
    this.#note(happened);
    this.operations.settle(now);
    for (const happening of happened) this.#announce(happening);
  }

  /** Keeps what the panels and the tour ask for later. */
  #note(happened: readonly Happening[]): void {
    if (happened.length === 0) return;
    this.operations.add(happened);
    this.#comparisons.add(happened.filter((one) => one.kind === "frame"));
    const kept = happened.filter(({ kind }) => kind !== "frame" && kind !== "dropped");
    if (kept.length === 0) return;
    this.#news = true;
    this.#happened.push(...kept);
    if (this.#happened.length > HAPPENED_MAX) this.#happened.splice(0, this.#happened.length - HAPPENED_MAX);
    this.#log.add(kept, this.#scene.view);
  }

  #announce(happening: Happening): void {
    if (happening.kind === "ended") {
      const operation = this.operations.of(happening.call);
      if (operation) say(this.#told, `${title(operation)}: ${standing(operation, this.#scene.view)}.`);
      return;
    }
    const text = sentence(happening, this.#scene.view);
    if (text !== undefined) say(this.#told, text);
  }

  #look(): Scene {
    const { choice, operations } = this;
    const source = this.#source;
    const location = choice.key === "" ? undefined : source.locate(choice.key);
    return { source, view: source.view(), location, choice, operations };
  }

  #refresh(real: number): void {
    const began = performance.now();
    this.#looked = real;
    this.#news = false;
    this.#scene = this.#look();
    const scene = this.#scene;
    for (const panel of this.#panels) panel.update(scene, real);
    if (performance.getEntriesByName(FIRST_PICTURE).length === 0) performance.mark(FIRST_PICTURE);
    const live = scene.source instanceof LiveCluster;
    for (const part of this.#simulatedOnly) set(part, { hidden: live });
    set(this.#live.root, { hidden: !live });
    if (scene.source instanceof LiveCluster) this.#live.update(scene, scene.source.rates);
    else this.#tour.update({ scene, happened: this.#happened, hands: this.#hands });
    this.#bar.update(this.#timeState());
    this.#showCaption(scene);
    if (!this.pace.playing) say(this.#trace, `trace ${this.#source.trace()}`);
    set(this.#trace, { hidden: this.pace.playing });
    this.#lookCost = performance.now() - began;
  }

  #showCaption(scene: Scene): void {
    const node = focused(scene);
    const { pointedSlot } = scene.choice;
    const text =
      pointedSlot !== undefined
        ? describeSlot(scene, pointedSlot)
        : node !== undefined
          ? describeNode(scene.view, node)
          : "";
    const { view } = scene;
    say(this.#caption, text || `N = ${view.replication}, R = ${view.r}, W = ${view.w} · ${view.owners.length} slots · layout ${view.version}`);
  }

  async #act(action: Action): Promise<number | undefined> {
    say(this.#notice, "");
    let call: number | undefined;
    await this.#inTurn(async () => {
      if (this.#source.forks) history.pushState(null, "", location.href);
      call = await this.#source.act(action);
      this.pace.wake();
      this.pace.playing = true;
    });
    return call;
  }

  #choose(change: Partial<Choice>): void {
    Object.assign(this.choice, change);
    this.#news = true;
    // What was chosen is seen at once.
    this.#looked = -Infinity;
  }

  #play(playing: boolean): void {
    this.pace.playing = playing;
    this.#looked = -Infinity;
    if (!playing) this.#writeAddress();
  }

  /** Goes on to the next thing that a person would want to see. */
  #step(): void {
    if (this.#waiting > 0) return;
    this.#play(false);
    try {
      for (let passed = 0; passed < STEP_FAR_MS; passed += STEP_PART_MS) {
        const { flying } = this.messages;
        const arrives = Math.min(...flying.filter(({ stretched }) => !stretched).map((message) => message.arrives));
        const known = this.#happened.length;
        this.#advance(STEP_PART_MS);
        const sent = this.messages.flying.some((message) => message.sort !== "gossip" && !flying.includes(message));
        if (this.#happened.length !== known || sent || arrives <= this.#source.now) break;
      }
    } catch (error) {
      this.#warn(sentenceOf(error));
    }
    this.#writeAddress();
  }

  #forget(): void {
    this.operations.clear();
    this.#comparisons.clear();
    this.messages.clear();
    this.#happened = [];
    say(this.#told, "");
    this.#log.clear();
    this.#scene = this.#look();
  }

  #timeState() {
    const { now, horizon, forks } = this.#source;
    const { playing, factor } = this.pace;
    return { now, horizon, forks, playing, factor, speed: this.pace.speed(this.#traffic()) };
  }

  #writeAddress(): void {
    clearTimeout(this.#address);
    this.#address = setTimeout(() => {
      void this.#link().then((url) => url && history.replaceState(null, "", url));
    }, ADDRESS_MS);
  }

  /** The address that replays this run up to now. */
  async #link(): Promise<string | undefined> {
    if (!(this.#source instanceof Session)) return undefined;
    const { script, now: at } = this.#source;
    const fragment = await encode({ script, at });
    if (fragment === undefined) return undefined;
    const url = new URL(location.href);
    url.search = "";
    url.hash = fragment;
    return url.href;
  }

  async #copyLink(): Promise<void> {
    const url = await this.#link();
    if (url === undefined) return this.#warn("This run is longer than what a link can hold.");
    history.replaceState(null, "", url);
    try {
      await navigator.clipboard.writeText(url);
      say(this.#told, "The link is copied: it replays this run up to now.");
    } catch {
      say(this.#told, "The link is the address of this page.");
    }
  }

  #warn(text: string): void {
    say(this.#notice, text);
  }

  #key(event: KeyboardEvent): void {
    const target = event.target;
    const typing = target instanceof Element && target.closest("a, input, select, textarea, button, summary, [role=button], [role=slider], [tabindex]") !== null;
    if (typing || this.#source.kind === "live" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") this.#play(!this.pace.playing);
    else if (event.key === ".") this.#step();
    else return;
    event.preventDefault();
  }

  #place(stage: readonly Node[], panels: readonly Node[], below: readonly Node[]): void {
    const part = (id: string) => document.getElementById(id) as HTMLElement;
    part("head").replaceChildren(
      element("h1", {}, "Quorate"),
      element(
        "p",
        {},
        this.#source.kind === "live"
          ? "An always-writable key-value store: the cluster that served this page."
          : "An always-writable key-value store, running in this page: the real protocol, in virtual time.",
      ),
      this.#trace,
    );
    part("stage").replaceChildren(...stage);
    part("guide").replaceChildren(this.#tour.root, this.#live.root);
    part("panels").replaceChildren(...panels);
    part("below").replaceChildren(...below);
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
