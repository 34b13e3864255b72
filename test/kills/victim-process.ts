import { Worker } from 'node:worker_threads'
import type { Database } from '../../src/core/database.js'
import type { Tid } from '../../src/core/oid.js'
import { open } from '../../src/open.js'
import { type Ledger, ledgerClasses, type Page, readBalance } from './ledger.js'
import { tell, type VictimOptions } from './victim-messages.js'
import type { ThreadTask } from './victim-thread.js'
import { runWriters } from './writers.js'

/*
 * A process that is going to be killed. It says that it is ready, opens the file when it is told anything, tells what
 * it has found there, and commits for ever. It ends by itself only if its input does, or if something goes wrong.
 */
const options = JSON.parse(process.argv[2] ?? '{}') as VictimOptions
const threads = Array.from(
  { length: options.threads },
  () => new Worker(new URL('./victim-thread.js', import.meta.url)),
)
process.stdin.once('data', () => void commitForEver())
process.stdin.once('end', () => process.exit(0))
tell({ kind: 'ready' })

async function commitForEver(): Promise<void> {
  const { path, durability, writers, createdAt, packing = false, storage = 'file' } = options
  // Checkpoints as often as can be, so that kills hit them too.
  const own = storage === 'file' && { checkpointBytes: 65_536 }
  const settings = { classes: ledgerClasses, durability, createIfMissing: false, ...own }
  const database = await open<Record<string, Page>>(path, settings)
  tell({ kind: 'opened', ...(await readBalance(database, writers, createdAt, packing ? Number.POSITIVE_INFINITY : 0)) })
  const numbers = Array.from({ length: writers }, (_, writer) => writer)
  for (const [i, thread] of threads.entries()) {
    const { handle, transferList } = database.share()
    const task: ThreadTask = { handle, writers: numbers.filter((n) => n % (threads.length + 1) === i + 1) }
    thread.postMessage(task, [...transferList])
  }
  const ours = numbers.filter((n) => n % (threads.length + 1) === 0)
  await Promise.all([runWriters(database, ours), packing && packForEver(database)])
}

async function packForEver(database: Database<Ledger>): Promise<never> {
  let historyFrom: Tid | undefined
  for (let pack = 0; ; pack++) {
    // Every other pack keeps the history that the one before has kept.
    const retain = pack % 2 === 1 && historyFrom !== undefined && { retain: { tid: historyFrom } }
    const keepOld = options.storage !== 'sqlite' && pack % 3 === 0
    const result = await database.pack({ keepOld, ...retain })
    historyFrom = result.historyFrom
    tell({ kind: 'packed' })
  }
}
