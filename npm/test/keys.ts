// Keys that are located by Rust, Node.js and Chromium.

/** A thousand keys: short and long ones, and letters from all over. */
export const KEYS: readonly string[] = Array.from({ length: 1_000 }, (_, index) => {
  const shapes = [`key-${index}`, `cart:${index}:schlüssel/€`, `鍵🔑${index}`, `${"x".repeat(200)}${index}`];
  return shapes[index % shapes.length] as string;
});
