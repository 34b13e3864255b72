import { Account, AccountIds } from '../../dist/bench/accounts.js'
import { open } from '../../dist/src/index.js'

/** Loads between two commits of a client that does both. */
const LOADS = 20

/** What a client process can do: each connects, and returns `work(seconds)` and `close`. */
export const begin = {
  /** Changes an account that no other client changes, and commits, again and again. Answers with commits a second. */
  async commit(url, number) {
    const { db, commit } = await committing(url, number)
    return {
      async work(seconds) {
        let commits = 0
        const started = performance.now()
        const end = started + seconds * 1000
        while (performance.now() < end) {
          await commit()
          commits++
        }
        return (commits * 1000) / (performance.now() - started)
      },
      close: () => db.close(),
    }
  },

  /**
   * Loads accounts in random order, each from the server, and commits a change after every few. Answers with how long
   * each load took, in ms.
   */
  async load(url, number) {
    const { db, oids, commit } = await committing(url, number)
    let seed = number + 1
    const random = () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      return seed / 2 ** 32
    }
    return {
      async work(seconds) {
        const times = []
        const end = performance.now() + seconds * 1000
        while (performance.now() < end) {
          const snapshot = db.storage.snapshot()
          for (let i = 0; i < LOADS; i++) {
            const oid = oids[Math.floor(random() * oids.length)]
            const asked = performance.now()
            if (snapshot.load(oid) === undefined) throw new Error(`Account ${oid} is gone.`)
            times.push(performance.now() - asked)
          }
          snapshot.release()
          await commit()
        }
        return Float64Array.from(times)
      },
      close: () => db.close(),
    }
  },
}

async function committing(url, number) {
  // Without the shared cache, so that each load asks the server.
  const db = await open(url, { classes: [Account, AccountIds], cacheBytes: 0 })
  const connection = await db.connect()
  const { oids } = connection.root.get('ids')
  const account = connection.get(oids[number])
  const commit = () => {
    account.balance++
    return connection.commit()
  }
  // The first change ends the transaction that read the root: it is not to be validated each time.
  await commit()
  return { db, oids, commit }
}
