import type { Storage } from './storage.js'

/** A sample of so many objects is enough to know their mean size within some percent. */
const SAMPLE = 300
/** After so many oids without finding as many objects, what has been found must do. */
const MOST_TRIES = 20_000
/** What a storage needs for a record besides its data, about. */
const OVERHEAD_BYTES = 32

/**
 * Estimates how many bytes of a storage are superseded versions: what it takes, less what its objects take, which is
 * their number times the mean size of some taken at random. Undefined if the storage does not tell what oids it has
 * given out, or has no objects.
 */
export function estimateSuperseded(storage: Storage): number | undefined {
  const { bytes, objects, nextOid } = storage.statistics()
  if (typeof objects !== 'number' || typeof nextOid !== 'number') return undefined
  const size = meanSize(storage, nextOid)
  return size === undefined ? undefined : Math.max(0, bytes - objects * size)
}

function meanSize(storage: Storage, nextOid: number): number | undefined {
  const snapshot = storage.snapshot()
  try {
    let found = 0
    let bytes = 0
    for (let tries = 0; tries < MOST_TRIES && found < SAMPLE; tries++) {
      const record = snapshot.load(Math.floor(Math.random() * nextOid))
      if (record === undefined) continue
      found++
      bytes += OVERHEAD_BYTES + record.data.length
    }
    return found === 0 ? undefined : bytes / found
  } finally {
    snapshot.release()
  }
}
