// XXH64 by its specification, for bytes of any length.

const [P1, P2, P3, P4, P5] = [
  11400714785074694791n,
  14029467366897019727n,
  1609587929392839161n,
  9650029242287828579n,
  2870177450012600261n,
] as const;

const mask = (n: bigint) => BigInt.asUintN(64, n);
const rotate = (n: bigint, by: bigint) => mask((n << by) | (n >> (64n - by)));
const round = (acc: bigint, lane: bigint) => mask(rotate(mask(acc + lane * P2), 31n) * P1);
const mergeRound = (hash: bigint, acc: bigint) => mask((hash ^ round(0n, acc)) * P1 + P4);

export function xxh64(bytes: Uint8Array, seed = 0n): bigint {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash = mask(seed + P5);
  if (view.length >= 32) {
    let lanes = [seed + P1 + P2, seed + P2, seed, seed - P1].map(mask);
    for (; at + 32 <= view.length; at += 32) {
      lanes = lanes.map((lane, index) => round(lane, view.readBigUInt64LE(at + 8 * index)));
    }
    const turns = [1n, 7n, 12n, 18n];
    hash = mask(lanes.reduce((sum, lane, index) => sum + rotate(lane, turns[index] ?? 0n), 0n));
    hash = lanes.reduce(mergeRound, hash);
  }
  hash = mask(hash + BigInt(view.length));
  for (; at + 8 <= view.length; at += 8) {
    hash = mask(rotate(hash ^ round(0n, view.readBigUInt64LE(at)), 27n) * P1 + P4);
  }
  if (at + 4 <= view.length) {
    hash = mask(rotate(hash ^ mask(BigInt(view.readUInt32LE(at)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (; at < view.length; at += 1) {
    hash = mask(rotate(hash ^ mask(BigInt(view.readUInt8(at)) * P5), 11n) * P1);
  }
  hash = mask((hash ^ (hash >> 33n)) * P2);
  hash = mask((hash ^ (hash >> 29n)) * P3);
  return hash ^ (hash >> 32n);
}
