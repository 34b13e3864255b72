/** Each power of two of microseconds is divided into so many buckets, so a figure is at most 9 % too large. */
const STEPS = 8

/** The last bucket begins at 2^30 us, 18 minutes. */
const BUCKETS = 31 * STEPS

/** How long something took, counted in buckets of fixed bounds: any number of measurements takes the same memory. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS)
  #count = 0

  get count(): number {
    return this.#count
  }

  record(ms: number): void {
    const bucket = Math.floor(Math.log2(Math.max(1, ms * 1000)) * STEPS)
    const index = Math.min(bucket, BUCKETS - 1)
    this.#counts[index] = (this.#counts[index] as number) + 1
    this.#count++
  }

  /**
   * The time that this share of all measurements did not exceed, in ms, rounded up to the bound of a bucket; 0 if
   * there were none.
   *
   * @param share from 0 to 1: 0.99 for p99
   */
  percentileMs(share: number): number {
    let left = Math.ceil(this.#count * share)
    if (left === 0) return 0
    for (let index = 0; index < BUCKETS; index++) {
      left -= this.#counts[index] as number
      if (left <= 0) return 2 ** ((index + 1) / STEPS) / 1000
    }
    return Number.POSITIVE_INFINITY
  }
}
