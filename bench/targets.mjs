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
]

/**
 * The targets whose figures were measured.
 *
 * @param figures medians by `suite/contestant`
 */
export function judge(figures) {
  return TARGETS.filter(({ of, to }) => figures.has(of) && (to === undefined || figures.has(to))).map((target) => {
    const { of, to, least, most } = target
    const value = to === undefined ? figures.get(of) : figures.get(of) / figures.get(to)
    return { ...target, value, pass: least === undefined ? value <= most : value >= least }
  })
}
