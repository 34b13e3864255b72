import type { Dependency } from './dependency-graph.js'
import type { History } from './history.js'

/**
 * Dependencies of transactions on those that had ended before they began, without those that follow from others. A
 * transaction whose outcome is unknown has not ended: it may happen later.
 */
export function realTimeOrder(history: History): Dependency[] {
  const events = history
    .flatMap(({ began, ended, outcome }, transaction) => [
      { time: began, transaction, begins: true },
      ...(outcome === 'unknown' ? [] : [{ time: ended, transaction, begins: false }]),
    ])
    .sort((a, b) => a.time - b.time)
  /** Ended transactions after which no other ended one began. */
  let latest: number[] = []
  const before = new Map<number, readonly number[]>()
  for (const { transaction, begins } of events) {
    if (begins) before.set(transaction, latest)
    else latest = [...latest.filter((other) => !before.get(transaction)?.includes(other)), transaction]
  }
  return Array.from(before, ([to, earlier]) =>
    earlier.map((from) => ({ from, to, kind: 'rt' as const, list: '' })),
  ).flat()
}
