import type { PackProgress } from '../core/storage.js'

/** What takes as long as reading one byte in the scan phase counts as 1. Estimates, from how much is done for each. */
const COST = { scan: 1, mark: 64, copy: 3, 'catch-up': 3 } as const

/** Nothing is estimated from less than this. */
const LEAST_MS = 50

type Phase = keyof typeof COST

/** Estimates how long a pack will still take, from what has been done so far and what is known to be left. */
export class PackClock {
  readonly #begun = performance.now()
  readonly #totals: Record<Phase, number>
  readonly #done: Record<Phase, number> = { scan: 0, mark: 0, copy: 0, 'catch-up': 0 }

  /** @param bytes of the journal, of which `later` are to be copied whole */
  constructor(bytes: number, later: number, objects: number) {
    // How much will be kept is known only when it has been marked. Until then it is taken for everything.
    this.#totals = { scan: bytes, mark: objects, copy: bytes - later, 'catch-up': later }
  }

  /** Takes in how far a phase has come. Returns the time left, in ms; undefined if nothing is known yet. */
  remainingMs({ phase, objects, objectsTotal, bytes, bytesTotal }: Omit<PackProgress, 'remainingMs'>) {
    if (phase === 'switch') return 0
    const [done, total] = phase === 'mark' ? [objects, objectsTotal] : [bytes, bytesTotal]
    this.#done[phase] = done
    this.#totals[phase] = Math.max(done, total)
    if (phase === 'copy' || phase === 'catch-up') this.#isDone('scan', 'mark')
    if (phase === 'catch-up') this.#isDone('copy')
    const elapsed = performance.now() - this.#begun
    const spent = cost(this.#done)
    if (elapsed < LEAST_MS || spent === 0) return undefined
    return Math.round((elapsed / spent) * Math.max(0, cost(this.#totals) - spent))
  }

  /** What a phase did not have to do is not to be expected any more. */
  #isDone(...phases: Phase[]): void {
    for (const phase of phases) this.#totals[phase] = this.#done[phase]
  }
}

function cost(amounts: Record<Phase, number>): number {
  return (Object.keys(COST) as Phase[]).reduce((sum, phase) => sum + COST[phase] * amounts[phase], 0)
}
