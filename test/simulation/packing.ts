import { type PerdureError, packError } from '../../src/core/errors.js'
import type { Tid } from '../../src/core/oid.js'
import type { CommitOutcome } from '../../src/workers/messages.js'
import type { PackSettings } from '../../src/workers/pack.js'
import { demand } from './check-state.js'
import type { Random } from './random.js'
import type { SimulatedDisk } from './simulated-disk.js'

/** Commits were refused because of the disk. */
export class Refused extends Error {
  constructor(readonly outcomes: readonly CommitOutcome[]) {
    super(JSON.stringify(outcomes))
  }
}

/** Tasks so small that each step of the pack has several, and at times too little memory for references. */
export function randomPackSettings(random: Random, historyFrom: Tid, newest: Tid): PackSettings {
  return {
    ...(random.chance(0.5) ? {} : { retain: { tid: random.between(historyFrom, newest) } }),
    keepOld: random.chance(0.3),
    memoryBytes: random.pick([0, 2 ** 20]),
    tuning: {
      rangeBytes: random.pick([2000, 2 ** 20]),
      transactionBytes: random.pick([500, 5000, 2 ** 20]),
      switchBytes: random.pick([200, 2000, 1e6]),
    },
  }
}

/**
 * A pack that has failed before the new journal had its place has changed nothing, says why, and has left nothing
 * unless even that failed.
 *
 * @throws Violation; Refused if it failed when the new journal had its place already, so that nothing can be committed
 */
export function checkFailedPack(error: unknown, disk: SimulatedDisk, path: string): void {
  if (errorCode(error) === 'PERDURE_POISONED') throw new Refused([refusal(error as PerdureError)])
  const isNamed = /^PERDURE_(IO|NO_SPACE|CLOSED)$/.test(errorCode(error) ?? '')
  demand(isNamed, () => `A pack failed with ${error instanceof Error ? error.stack : error}`)
  const mayStay = disk.failed.some(({ type }) => type === 'unlink')
  const left = packLeftovers(disk, path)
  demand(mayStay || left.length === 0, () => `A pack that failed has left ${left.join(' and ')}.`)
}

/** What is there that only a pack has while it is made. */
export function packLeftovers(disk: SimulatedDisk, path: string): string[] {
  const names = ['.pack', '.pack.index', '.pack.index.new', '.prepack.new']
  return names.map((name) => `${path}${name}`).filter((name) => disk.exists(name))
}

export function errorCode(error: unknown): string | undefined {
  return (error as { code?: string }).code
}

function refusal(error: PerdureError): CommitOutcome {
  return { error: packError(error), cause: packError(error.cause) }
}
