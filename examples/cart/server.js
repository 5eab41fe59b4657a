// Serves the page and the package, as files: no bundler, no framework. `node server.js [PORT]`.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const file = (path) => new URL(path, import.meta.url);
const files = {
  "/": [file("index.html"), "text/html"],
  "/cart.js": [file("cart.js"), "text/javascript"],
  "/device.js": [file("device.js"), "text/javascript"],
  "/style.css": [file("style.css"), "text/css"],
  "/quorate.js": [new URL(import.meta.resolve("quorate")), "text/javascript"],
};
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src ws: wss:";

const server = createServer(async ({ url }, response) => {
  const [path, type] = files[url.split("?", 1)[0]] ?? [];
  if (path === undefined) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": `${type}; charset=utf-8`, "content-security-policy": policy });
  response.end(await readFile(path));
});
server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
