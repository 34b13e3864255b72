import { checkTotal, shuffledIds } from '../records.mjs'
import { secondsOf } from '../statistics.mjs'
import { openPeer } from '../stores.mjs'

const PEERS = ['perdure', 'lmdb', 'better-sqlite3', 'classic-level']

/** The first pass is for the compiler: each pass has a store and a connection of its own, whose caches are empty. */
const PASSES = 2

export const traverse = {
  title: 'Cold traversal: from each object to the next it refers to',
  unit: 'objects/s',
  peers: PEERS,
  needs: ({ objects }) => ({ objects, ids: true, shared: true }),

  async measure({ peer, path, objects }) {
    return (
      objects /
      (await lastPass(peer, path, async (store) => {
        let total = 0
        const seconds = await secondsOf(async () => {
          total = await store.sumByReference()
        })
        checkTotal(total, objects)
        return seconds
      }))
    )
  },
}

export const get = {
  title: 'Cold get by id, in random order, and reading a field',
  unit: 'objects/s',
  peers: PEERS,
  needs: ({ objects }) => ({ objects, ids: true, shared: true }),

  async measure({ peer, path, objects }) {
    const ids = shuffledIds(objects)
    return (
      objects /
      (await lastPass(peer, path, async (store) => {
        const sum = await store.sumById(ids)
        let total = 0
        const seconds = await secondsOf(() => {
          total = sum()
        })
        checkTotal(total, objects)
        return seconds
      }))
    )
  },
}

async function lastPass(peer, path, pass) {
  let seconds = 0
  for (let i = 0; i < PASSES; i++) {
    const store = await openPeer(peer, path)
    globalThis.gc()
    seconds = await pass(store)
    await store.close()
  }
  return seconds
}
