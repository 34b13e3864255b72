import { type Oid, ROOT_OID, type Tid } from '../core/oid.js'
import type { PointInTime, Storage, TransactionInfo, TransactionRange } from '../core/storage.js'
import { commit, nextTurn, write } from './suite-context.js'

/** Transaction 1 makes the root and an object, 2 changes that and makes another, 3 changes the root. Returns the first oid. */
export async function threeTransactions(storage: Storage): Promise<Oid> {
  const first = storage.allocateOids(2)
  await commit(storage, [write(ROOT_OID, 'root 1'), write(first, 'a 1')])
  await commit(storage, [write(first, 'a 2'), write(first + 1, 'b 2')])
  await commit(storage, [write(ROOT_OID, 'root 3')])
  return first
}

export async function list(storage: Storage, range?: TransactionRange): Promise<TransactionInfo[]> {
  const infos: TransactionInfo[] = []
  for await (const info of storage.transactions(range)) infos.push(info)
  return infos
}

export async function tidsOf(transactions: AsyncIterable<TransactionInfo>): Promise<Tid[]> {
  const tids: Tid[] = []
  for await (const { tid } of transactions) tids.push(tid)
  return tids
}

export async function tidAt(storage: Storage, at: PointInTime): Promise<Tid> {
  const snapshot = await storage.snapshotAt(at)
  snapshot.release()
  return snapshot.tid
}

/** The first moment that is later. */
export async function laterThan(time: Date | undefined): Promise<Date> {
  while (time !== undefined && Date.now() <= time.getTime()) await nextTurn()
  return new Date()
}
