// A map in place of a system: what the driver costs by itself.

export function open() {
  const map = new Map();
  return {
    isLocal: true,
    get: (key) => Promise.resolve(map.get(key)),
    put: (key, value) => Promise.resolve(void map.set(key, value)),
    close: () => {},
  };
}
