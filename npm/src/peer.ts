// The optional peer `ws`. Browsers do not need it, so no bundler may look for it: the build writes an
// `import` here that tells them so, and a `require` into CommonJS, where Jest knows no `import`.

export function importPeer(): Promise<unknown> {
  // A name that bundlers cannot read, whatever they make of the import.
  const name = ["w", "s"].join("");
  return import(name);
}
