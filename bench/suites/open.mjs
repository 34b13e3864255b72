import { median, secondsOf } from '../statistics.mjs'
import { openPeer } from '../stores.mjs'

const REPEATS = 9

export const opening = {
  title: 'Opening a database that was closed',
  unit: 'ms',
  peers: ['perdure', 'lmdb', 'better-sqlite3', 'classic-level'],
  /** Only Perdure is measured at every size. */
  sizes: ({ peer, quick, objects }) => {
    if (peer !== 'perdure') return [objects]
    return quick ? [1_000, 10_000, 100_000] : [10_000, 100_000, 1_000_000]
  },
  needs: ({ size }) => ({ objects: size, ids: false, shared: false }),

  async measure({ peer, path }) {
    const times = []
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      let store
      const seconds = await secondsOf(async () => {
        store = await openPeer(peer, path)
      })
      await store.close()
      times.push(seconds * 1000)
    }
    return median(times)
  },
}
