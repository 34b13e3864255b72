import { median } from './statistics.mjs'

/** What Perdure is to reach, as ratios of figures of one run. `of` and `to` are a suite and a contestant of it. */
const TARGETS = [
  { of: 'create/perdure', to: 'create/lmdb', least: 0.7 },
  { of: 'get/perdure', to: 'get/lmdb', least: 0.6 },
  { of: 'field-read/@field accessor', to: 'field-read/plain object', most: 3 },
  { of: 'field-read/Proxy (default)', to: 'field-read/plain object', most: 25 },
  { of: 'sequential/perdure', to: 'sequential/raw-file', least: 0.8 },
  { of: 'concurrent/perdure', to: 'sequential/perdure', least: 10 },
  { of: 'unsynced/perdure', to: 'unsynced/better-sqlite3', least: 0.5 },
  { of: 'open/perdure 1,000,000', to: 'open/perdure 10,000', most: 2 },
  { of: 'open/perdure 1,000,000', most: 60 },
  { of: 'index-first/memory', to: 'index-first/paged', least: 1 },
  { of: 'index-warm/memory', to: 'index-warm/paged', least: 0.9 },
  { of: 'convert/perdure', least: 100_000 },
  { of: 'import-durus/perdure', least: 51_000 },
  { of: 'server-traverse/perdure-server', least: 60_000 },
  { of: 'server-traverse/perdure-server', to: 'server-traverse/perdure', least: 0.3 },
  { of: 'server-crawl/perdure-server', least: 120_000 },
  { of: 'server-commit/perdure-server', to: 'server-commit/perdure', least: 0.67 },
  { of: 'server-clients/perdure-server 8', to: 'server-clients/perdure-server 1', least: 3 },
  { of: 'server-latency/perdure-server', most: 5 },
  { of: 'server-idle/perdure-server 2,000', to: 'server-idle/perdure-server 0', least: 0.9 },
]

/**
 * The targets whose figures were measured, each with the ratio reached. Within one suite that is the median of the
 * ratios of the rounds, since what slows the machine down for a while slows both; otherwise the ratio of the medians.
 *
 * @param rows by `suite/contestant`: `median` and `values`, one a round
 */
export function judge(rows) {
  return TARGETS.filter(({ of, to }) => rows.has(of) && (to === undefined || rows.has(to))).map((target) => {
    const value = ratioOf(target, rows)
    return { ...target, value, pass: target.least === undefined ? value <= target.most : value >= target.least }
  })
}

function ratioOf({ of, to }, rows) {
  const reached = rows.get(of)
  if (to === undefined) return reached.median
  const compared = rows.get(to)
  const sameSuite = of.split('/')[0] === to.split('/')[0]
  return sameSuite
    ? median(reached.values.map((value, round) => value / compared.values[round]))
    : reached.median / compared.median
}
