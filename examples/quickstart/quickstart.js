// Two devices change one shopping cart at the same time, and nothing is lost.
import { connect } from "quorate";

const seeds = [process.argv[2] ?? "ws://127.0.0.1:7101"];
const phone = await connect({ seeds });
const laptop = await connect({ seeds });

// Both have seen the same cart, and write without knowing of each other.
const cart = await phone.update("cart", () => JSON.stringify(["milk"]));
await phone.put("cart", JSON.stringify(["milk", "bread"]), { context: cart.context });
await laptop.put("cart", JSON.stringify(["milk", "eggs"]), { context: cart.context });

const conflict = await phone.get("cart");
console.log("in conflict:", conflict.siblings.map((sibling) => sibling.text()).sort().join(" and "));

// Whoever has read both merges them.
const merge = (entry) => JSON.stringify([...new Set(entry.siblings.flatMap((one) => one.json()))].sort());
await laptop.update("cart", merge);
console.log("merged:", (await phone.get("cart")).text());
console.log("asked:", phone.locate("cart").primaries.map((node) => node.label).sort().join(", "));

await Promise.all([phone.close(), laptop.close()]);
