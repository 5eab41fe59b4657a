// Latencies in microseconds, in buckets that are at most 1/128 of their value wide.

/** Values below this have a bucket each. */
const EXACT = 256;
const PER_DOUBLING = EXACT / 2;
const MICROS_MAX = 2 ** 31 - 1;
const BUCKETS = bucketOf(MICROS_MAX) + 1;

export class Histogram {
  #counts = new Uint32Array(BUCKETS);

  record(micros) {
    this.#counts[bucketOf(Math.min(MICROS_MAX, Math.max(0, Math.round(micros))))] += 1;
  }

  /** Pairs of a latency in the middle of its bucket and how often it was measured. */
  pairs() {
    const pairs = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) pairs.push([middleOf(bucket), count]);
    });
    return pairs;
  }

  clear() {
    this.#counts.fill(0);
  }
}

function bucketOf(micros) {
  if (micros < EXACT) return micros;
  const halvings = 24 - Math.clz32(micros);
  return halvings * PER_DOUBLING + (micros >> halvings);
}

function middleOf(bucket) {
  if (bucket < EXACT) return bucket;
  const halvings = Math.floor(bucket / PER_DOUBLING) - 1;
  const begin = (bucket - halvings * PER_DOUBLING) * 2 ** halvings;
  return begin + 2 ** (halvings - 1);
}
