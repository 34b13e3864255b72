import { Account, AccountIds } from '../../dist/bench/accounts.js'
import { open } from '../../dist/src/index.js'
import { Serving } from '../server/serving.mjs'
import { PerdureStore } from './perdure.mjs'

export const SYNCED = {
  fsync: 'the server answers after fdatasync; commits of several clients share one',
}

/** Its databases are made without the server. */
export const PREPARED_BY = 'perdure'

const servers = new Map()

/** Ends all servers. */
export async function finish() {
  for (const server of servers.values()) await server.stop()
}

/** Connects to a server of the database in another process, which goes on for all that open it, one after the other. */
export async function openStore(path, { durability } = {}) {
  if (!servers.has(path)) servers.set(path, await Serving.start(path, durability))
  return new PerdureStore(await open(servers.get(path).url, { classes: [Account, AccountIds] }))
}
