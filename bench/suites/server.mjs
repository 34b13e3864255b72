import { checkTotal } from '../records.mjs'
import { workTogether } from '../server/clients.mjs'
import { connectIdle } from '../server/idle-clients.mjs'
import { Serving } from '../server/serving.mjs'
import { secondsOf } from '../statistics.mjs'
import { openPeer } from '../stores.mjs'
import { sequential } from './commit.mjs'
import { traverse } from './read.mjs'

const BOTH = ['perdure', 'perdure-server']
const SERVED = ['perdure-server']

/** Clients of one server in the suites with several of them. */
const CLIENTS = 8
const IDLE = 2000

const accounts = ({ objects }) => ({ objects, ids: true, shared: true })
/** Commits go to a database of their own, which is not read by other suites. */
const few = () => ({ objects: 1000, ids: true, shared: false })

export const serverTraverse = {
  ...traverse,
  title: 'Cold traversal, locally and through a server in another process',
  peers: BOTH,
}

export const serverCrawl = {
  title: 'Cold crawl of a BTree of accounts, locally and through a server in another process',
  unit: 'objects/s',
  peers: BOTH,
  needs: ({ objects }) => ({ objects, tree: true, shared: false }),

  async measure({ peer, path, objects }) {
    let seconds = 0
    // The first pass is for the compiler, here and in the server.
    for (let pass = 0; pass < 2; pass++) {
      const store = await openPeer(peer, path)
      globalThis.gc()
      seconds = await secondsOf(async () => checkTotal(await store.sumByCrawl(), objects))
      await store.close()
    }
    return objects / seconds
  },
}

export const serverCommit = {
  ...sequential,
  title: 'Durable commits of one object, one after the other, locally and as the only client of a server',
  peers: BOTH,
  needs: few,
}

export const serverClients = {
  title: 'Durable commits of one object by several client processes at once, each one after the other',
  unit: 'commits/s',
  durability: 'fsync',
  peers: SERVED,
  sizes: () => [1, CLIENTS],
  needs: few,

  measure: ({ path, size, quick }) =>
    withServer(path, async ({ url }) => {
      const rates = await workTogether({ url, count: size, work: 'commit', seconds: quick ? 1 : 5 })
      return rates.reduce((sum, rate) => sum + rate, 0)
    }),
}

export const serverLatency = {
  title: `p99 of a load from the server while ${CLIENTS} client processes load, and commit after every 20 loads`,
  unit: 'ms',
  peers: SERVED,
  needs: accounts,

  measure: ({ path, quick }) =>
    withServer(path, async ({ url }) => {
      const all = await workTogether({ url, count: CLIENTS, work: 'load', seconds: quick ? 1 : 5 })
      const times = Float64Array.from(all.flatMap((times) => [...times])).sort()
      return times[Math.floor(times.length * 0.99)]
    }),
}

export const serverIdle = {
  title: 'Durable commits of one client beside idle connections, one after the other',
  unit: 'commits/s',
  durability: 'fsync',
  peers: SERVED,
  sizes: ({ quick }) => [0, idleConnections(quick)],
  needs: few,

  measure: ({ path, size, quick }) =>
    withServer(path, async ({ url }) => {
      const close = await connectIdle(url, size)
      const [rate] = await workTogether({ url, count: 1, work: 'commit', seconds: quick ? 1 : 5 })
      await close()
      return rate
    }),
}

export const serverMemory = {
  title: 'Memory of the server for one idle connection (resident, after a collection)',
  unit: 'KiB',
  peers: SERVED,
  needs: few,

  measure: ({ path, quick }) =>
    withServer(path, async (server) => {
      const count = idleConnections(quick)
      // What the first connections need once and for all is not theirs.
      await (await connectIdle(server.url, 100))()
      const before = await server.memory()
      const close = await connectIdle(server.url, count)
      const after = await server.memory()
      await close()
      return (after.rss - before.rss) / count / 1024
    }),
}

function idleConnections(quick) {
  return quick ? IDLE / 10 : IDLE
}

async function withServer(path, use) {
  const server = await Serving.start(path)
  const result = await use(server)
  await server.stop()
  return result
}
