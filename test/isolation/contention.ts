import { expect } from 'chai'
import type { Verdict } from './checker.js'
import type { AnomalyKind, History } from './history.js'

/** Fails unless the workload was worth checking. */
export function expectContention(history: History, { dependencies }: Verdict): void {
  const aborted = history.filter(({ outcome }) => outcome === 'aborted').length
  expect(aborted).to.be.within(history.length / 20, (history.length * 19) / 20)
  for (const kind of ['ww', 'wr', 'rw', 'rt'] as const) {
    expect(dependencies[kind], kind).to.be.greaterThan(history.length / 20)
  }
}

/** Which kinds of anomalies were found. */
export function kindsOf({ anomalies }: Verdict): AnomalyKind[] {
  return [...new Set(anomalies.map(({ kind }) => kind))]
}
