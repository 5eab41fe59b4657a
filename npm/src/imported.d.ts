// What workerd, and bundlers for it, make of an imported module.

declare module "*/client.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
