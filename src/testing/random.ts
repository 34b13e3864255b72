/** Random numbers that a seed reproduces: mulberry32 (https://gist.github.com/tommyettinger/46a874533244883189143505d203312c). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** An integer from 0 to 2 ** 32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.uint32() % limit
  }

  /** One of `choices`. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }
}

/** The seed of this run: the environment variable PERDURE_SEED, or else a new one. */
export function runSeed(): number {
  const given = process.env['PERDURE_SEED']
  return given === undefined ? Date.now() % 2 ** 31 : Number(given)
}

/** Runs `body` with a generator, and adds the seed to the message of what it throws. */
export function seeded(seed: number, body: (random: Random) => void): void {
  try {
    body(new Random(seed))
  } catch (error) {
    if (error instanceof Error) error.message += ` (to repeat, set PERDURE_SEED=${seed})`
    throw error
  }
}
