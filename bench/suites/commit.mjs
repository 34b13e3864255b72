import { secondsOf } from '../statistics.mjs'
import { openPeer } from '../stores.mjs'

/** Commits go to a small database: what is measured is the commit. */
const OBJECTS = 1000
const CONCURRENT = 64

export const sequential = suite({
  title: 'Durable commits of one object, one after the other',
  peers: ['perdure', 'raw-file', 'lmdb', 'better-sqlite3', 'classic-level'],
  durability: 'fsync',
  committers: 1,
  commits: ({ quick }) => (quick ? 200 : 8000),
})

export const concurrent = suite({
  title: `Durable commits of one object, ${CONCURRENT} at a time`,
  peers: ['perdure', 'lmdb', 'classic-level'],
  durability: 'fsync',
  committers: CONCURRENT,
  commits: ({ quick }) => (quick ? 2_000 : 40_000),
})

export const unsynced = suite({
  title: 'Commits of one object that survive a killed process, one after the other',
  peers: ['perdure', 'raw-file', 'lmdb', 'better-sqlite3', 'classic-level'],
  durability: 'os',
  committers: 1,
  commits: ({ quick }) => (quick ? 2_000 : 20_000),
})

function suite({ title, peers, durability, committers, commits }) {
  return {
    title,
    unit: 'commits/s',
    durability,
    peers,
    needs: () => ({ objects: OBJECTS, ids: true, shared: false }),

    async measure(task) {
      const store = await openPeer(task.peer, task.path, { durability })
      const count = commits(task)
      const all = await store.committers(committers)
      // Until everything that takes part, in all threads, has been compiled.
      await commitMany(all, Math.ceil(count / 3))
      const seconds = await secondsOf(() => commitMany(all, count))
      await store.close()
      return count / seconds
    },
  }
}

/** Each committer begins its next commit as soon as its last one is done, until `count` have been begun. */
async function commitMany(committers, count) {
  let left = count
  await Promise.all(
    committers.map(async (commit) => {
      while (left-- > 0) await commit()
    }),
  )
}
