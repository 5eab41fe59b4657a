// Two devices side by side, and what the nodes hold.
import { connect } from "./quorate.js";
import { Device, KEY } from "./device.js";

/** How often devices look for what was written in other windows. */
const LOOK_EVERY_MS = 1_000;

const seeds = [new URLSearchParams(location.search).get("seed") ?? "ws://127.0.0.1:7101"];
const status = document.querySelector("#status");
const panels = [...document.querySelectorAll(".device")];

const tell = (text) => (status.textContent = text);
const failed = (error) => tell(`${error.code ?? "Error"}: ${error.message}`);

try {
  const clients = await Promise.all(panels.map(() => connect({ seeds })));
  const devices = panels.map((panel, index) => new Device(panel.dataset.name, clients[index]));
  const nodes = clients[0].locate(KEY).primaries.map(({ label }) => label);
  const draw = () => {
    for (const [index, panel] of panels.entries()) drawDevice(panel, devices[index]);
    drawCarts(devices);
    tell(`Kept by ${nodes.slice(0, -1).join(", ")} and ${nodes.at(-1)}.`);
  };
  /** Lets a device do something, then all others look. */
  const act = (what) =>
    what().then(() => Promise.all(devices.map((device) => device.read()))).then(draw, failed);

  for (const [index, panel] of panels.entries()) listen(panel, devices[index], act);
  await act(async () => {});
  setInterval(() => act(async () => {}), LOOK_EVERY_MS);
} catch (error) {
  failed(error);
}

function listen(panel, device, act) {
  const field = panel.querySelector("input[type=text]");
  panel.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const item = field.value.trim();
    field.value = "";
    act(() => device.add(item));
  });
  panel.querySelector("ul").addEventListener("click", ({ target }) => {
    const item = target.closest("button")?.value;
    if (item !== undefined) act(() => device.remove(item));
  });
  panel.querySelector(".online input").addEventListener("change", ({ target }) => {
    act(() => device.goOnline(target.checked));
  });
  panel.querySelector(".merge").addEventListener("click", () => act(() => device.merge()));
}

function drawDevice(panel, device) {
  panel.classList.toggle("offline", !device.online);
  replace(panel.querySelector("ul"), device.items.map(toLine));
  panel.querySelector(".empty").hidden = device.items.length > 0;
  panel.querySelector(".merge").hidden = !(device.online && device.inConflict);
  const note = panel.querySelector(".note");
  const text = noteOf(device);
  if (note.textContent !== text) note.textContent = text;
}

function noteOf({ online, unsent, inConflict, note }) {
  if (!online) return unsent ? "Offline: changes wait here." : "Offline.";
  return note || (inConflict ? "Two carts: here are the items of both." : "");
}

function toLine(item) {
  const line = document.createElement("li");
  const button = document.createElement("button");
  button.value = item;
  button.textContent = "Remove";
  button.setAttribute("aria-label", `Remove ${item}`);
  line.append(item, button);
  return line;
}

function drawCarts(devices) {
  const asked = devices.find(({ online }) => online);
  const waiting = devices.filter(({ unsent }) => unsent).map(({ name }) => name);
  const carts = asked?.carts ?? [];
  document.querySelector("#siblings").textContent = told(asked !== undefined, carts.length, waiting);
  replace(document.querySelector("#carts"), carts.map((items) => {
    const card = document.createElement("li");
    card.textContent = items.join(", ") || "(empty)";
    return card;
  }));
}

function told(isAsked, count, waiting) {
  if (!isAsked) return "No device is online to ask.";
  if (count > 1) return `${count} siblings: neither has replaced the other.`;
  const without = waiting.length > 0 ? `, without what waits on the ${waiting.join(" and the ")}` : "";
  return `${count === 0 ? "No cart yet" : "One cart"}${without}.`;
}

/** Leaves what is the same alone, so that the focus stays where it is. */
function replace(list, lines) {
  const text = (children) => [...children].map((child) => child.outerHTML).join();
  if (text(list.children) !== text(lines)) list.replaceChildren(...lines);
}
