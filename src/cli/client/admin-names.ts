import {
  type ClassCensus,
  type CommitOptions,
  type Database,
  type DiagnosticOptions,
  type ObjectSummary,
  type Oid,
  type PackOptions,
  type PackResult,
  PerdureError,
  type PersistentMap,
  type StorageStatistics,
  type Tid,
  type TransactionInfo,
  type TransactionRange,
  type UnreachableTotals,
} from '../../index.js'
import { count } from '../count.js'
import { formatBytes } from '../progress.js'
import { confirm } from './confirm.js'

/** What `perdure admin` has at hand besides what `perdure db client` has. */
export interface AdminNames {
  /** Objects and bytes of each class. */
  census(options?: DiagnosticOptions): Promise<ClassCensus[]>
  /** Objects that refer to this one, at most so many. */
  referrers(oid: Oid, most?: number): Promise<ObjectSummary[]>
  /** The objects with the largest records. */
  largest(most?: number): Promise<ObjectSummary[]>
  /** How much a pack would remove. */
  unreachable(options?: DiagnosticOptions): Promise<UnreachableTotals>
  /** Transactions, the newest first, at most so many. */
  history(range?: TransactionRange, most?: number): Promise<TransactionInfo[]>
  statistics(): StorageStatistics
  /** How many transactions the clients of the server have open now, this prompt's own included. */
  openTransactions(): number
  /** Asks before it does it. The prompt sees it after abort(). */
  undo(tid: Tid, options?: CommitOptions): Promise<Tid>
  /** Asks before it does it. */
  pack(options?: PackOptions): Promise<PackResult>
}

const MOST = 1000
const MOST_TRANSACTIONS = 20

/** @param asks whether there is somebody at a terminal who can be asked */
export function adminNames(db: Database<PersistentMap>, asks: boolean): AdminNames {
  return {
    census: (options) => db.census(options),
    referrers: (oid, most = MOST) => take(db.referrers(oid), most),
    largest: (most = MOST_TRANSACTIONS) => db.largest(most),
    unreachable: (options) => db.unreachable(options).totals(),
    history: (range, most = MOST_TRANSACTIONS) => take(db.history({ newestFirst: true, ...range }), most),
    statistics: () => db.statistics,
    openTransactions: () => openTransactions(db.statistics),
    undo: async (tid, options) => {
      if (asks) confirm(`Take back transaction ${tid} of ${db.storage.location}?`)
      return db.undo(tid, { note: `undo ${tid}`, ...options })
    },
    pack: async (options) => {
      if (asks) confirm(await packQuestion(db, options))
      return db.pack(options)
    },
  }
}

async function packQuestion(db: Database<PersistentMap>, options: PackOptions = {}): Promise<string> {
  const { objects, bytes } = await db.unreachable().totals()
  const history = options.retain === undefined ? 'all history' : 'the history that is not to be kept'
  return `Remove ${count(objects, 'object')} (${formatBytes(bytes)}) and ${history} from ${db.storage.location}?`
}

async function take<T>(items: AsyncIterable<T>, most: number): Promise<T[]> {
  const taken: T[] = []
  if (most <= 0) return taken
  for await (const item of items) {
    taken.push(item)
    if (taken.length >= most) break
  }
  return taken
}

/** @throws PerdureError `PERDURE_UNSUPPORTED` for a file, whose transactions other processes do not see */
function openTransactions(statistics: StorageStatistics): number {
  const snapshots = statistics['server.snapshots']
  if (typeof snapshots === 'number') return snapshots
  throw new PerdureError('PERDURE_UNSUPPORTED', 'Only a server knows how many transactions are open.')
}
