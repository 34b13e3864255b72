import { openPeer } from '../stores.mjs'

export const memory = {
  title: 'Memory of one object in the cache (lmdb: of the plain object that get returns)',
  unit: 'bytes',
  peers: ['perdure', 'lmdb'],
  needs: ({ objects }) => ({ objects, ids: true, shared: true }),

  async measure({ peer, path, objects }) {
    const store = await openPeer(peer, path)
    const before = usedBytes()
    const loaded = await store.load(objects)
    const used = usedBytes() - before
    if (loaded.accounts.length !== objects) throw new Error(`Loaded ${loaded.accounts.length} of ${objects} objects.`)
    await store.close()
    return used / objects
  },
}

function usedBytes() {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
