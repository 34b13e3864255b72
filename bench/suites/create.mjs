import { secondsOf } from '../statistics.mjs'
import { openPeer } from '../stores.mjs'

export const create = {
  title: 'Create, and commit in one transaction',
  unit: 'objects/s',
  durability: 'fsync',
  peers: ['perdure', 'lmdb', 'better-sqlite3', 'classic-level'],
  needs: () => undefined,

  async measure({ peer, path, objects }) {
    const store = await openPeer(peer, path)
    const seconds = await secondsOf(() => store.create(objects))
    await store.close()
    return objects / seconds
  },
}
