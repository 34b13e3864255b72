import { shuffledIds } from '../records.mjs'
import { median, secondsOf } from '../statistics.mjs'
import { openPeer } from '../stores.mjs'

/** Openings, of which the median counts. */
const REPEATS = 9

/** The first one is for the compiler: each pass opens the file anew, so its index has not been touched. */
const PASSES = 2

/** Reads right after opening. Nearly each of them is the first one that needs its page of the index. */
const FIRST_READS = 1000

const WARM_READS = 100_000

/** Entries of the index that are loaded at a time. */
const PAGE_ENTRIES = 1024

export const indexOpen = suite({
  title: 'Opening a file that was closed, with its index paged or in memory',
  unit: 'ms',

  async measure({ path, variant }) {
    const times = []
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      let store
      const seconds = await secondsOf(async () => {
        store = await openPeer('perdure', path, { index: variant })
      })
      await store.close()
      times.push(seconds * 1000)
    }
    return median(times)
  },
})

export const indexFirst = suite({
  title: 'Random reads right after opening, with the index paged or in memory',
  unit: 'objects/s',
  measure: (task) => readsPerSecond(task, FIRST_READS, () => {}),
})

export const indexWarm = suite({
  title: 'Random reads when every page of the index has been needed, with the index paged or in memory',
  unit: 'objects/s',
  measure: (task) =>
    readsPerSecond(task, WARM_READS, (reads) => {
      for (let oid = 1; oid <= task.size; oid += PAGE_ENTRIES) reads([oid])
    }),
})

/** @param measure is given a file whose accounts have the oids from 1 on */
function suite({ title, unit, measure }) {
  return {
    title,
    unit,
    peers: ['perdure'],
    variants: ['paged', 'memory'],
    objects: ({ quick }) => (quick ? 100_000 : 1_000_000),
    needs: ({ size }) => ({ objects: size, owner: 'index' }),
    measure,
  }
}

async function readsPerSecond({ path, variant, size }, count, warmUp) {
  const oids = shuffledIds(size)
    .slice(0, count)
    .map((id) => id + 1)
  let seconds = 0
  for (let pass = 0; pass < PASSES; pass++) {
    const store = await openPeer('perdure', path, { index: variant })
    const read = await store.reader()
    warmUp(read)
    globalThis.gc()
    seconds = await secondsOf(() => read(oids))
    await store.close()
  }
  return oids.length / seconds
}
