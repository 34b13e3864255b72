import { Persistent } from '../../src/core/persistent.js'
import type { Random } from '../../src/testing/random.js'

export class Counter extends Persistent {
  value = 0
}

/**
 * Counters with an invariant that every transaction keeps, so whoever sees it broken has seen parts of two states.
 * After ZODB's racetest (https://github.com/zopefoundation/ZODB/blob/master/src/ZODB/tests/racetest.py).
 */
export interface RaceModel {
  /** What the counters hold at first. */
  readonly initial: readonly number[]
  /** Changes some counters so that the invariant still holds afterwards. */
  change(counters: readonly Counter[], random: Random): void
  holds(values: readonly number[]): boolean
}

/** Both counters are raised together. */
const equal: RaceModel = {
  initial: [0, 0],
  change(counters) {
    for (const counter of counters) counter.value++
  },
  holds: ([a, b]) => a === b,
}

/** The counters are raised in turns: a reader that has missed one change will show it at the next. */
const phased: RaceModel = {
  initial: [0, 0, 0],
  change(counters) {
    const [a, b, phase] = counters as [Counter, Counter, Counter]
    if (phase.value === 0) a.value++
    else b.value++
    phase.value = 1 - phase.value
  },
  holds: (values) => {
    const [a, b, phase] = values as [number, number, number]
    return a - b === phase
  },
}

/** Something is moved from one counter to another, while other transactions move something between others. */
const transfers: RaceModel = {
  initial: Array.from({ length: 12 }, () => 100),
  change(counters, random) {
    const from = random.pick(counters)
    const to = random.pick(counters)
    const amount = 1 + random.below(9)
    from.value -= amount
    to.value += amount
  },
  holds: (values) => values.reduce((sum, value) => sum + value, 0) === 1200,
}

export const raceModels = { equal, phased, transfers }

export type RaceModelName = keyof typeof raceModels
