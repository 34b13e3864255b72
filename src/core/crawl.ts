import { PerdureError } from './errors.js'
import type { Oid } from './oid.js'
import { recordClassName, recordReferences } from './record.js'
import type { StoredRecord } from './storage.js'

/** How many records are loaded at a time. */
const BATCH = 256

/** What loading ahead needs of a connection. */
export interface CrawlSource {
  /** Number of the running transaction. */
  readonly transaction: number
  /** Records as of the snapshot of the transaction with this number; undefined if it has ended before they were there. */
  loadAhead(oids: readonly Oid[], transaction: number): Promise<(StoredRecord | undefined)[] | undefined>
  /** Makes the record's object, if it is not there, and gives it its state, if it has none. */
  fill(record: StoredRecord): { readonly object: object; readonly wasGhost: boolean }
}

/** The oids of a breadth-first walk that have not been seen before. */
class Frontier {
  readonly #seen: Set<Oid>
  oids: Oid[]

  constructor(start: readonly Oid[]) {
    this.#seen = new Set(start)
    this.oids = [...this.#seen]
  }

  add(record: StoredRecord): void {
    for (const oid of recordReferences(record.data)) {
      if (this.#seen.has(oid)) continue
      this.#seen.add(oid)
      this.oids.push(oid)
    }
  }

  /** Everything found so far, which is then done with. */
  take(): Oid[] {
    const { oids } = this
    this.oids = []
    return oids
  }
}

/**
 * Loads the states of objects, and of those within `depth` references from them. Stops early if the transaction is
 * ended meanwhile: what it would go on to load would be out of date.
 *
 * @returns how many objects had no state before
 */
export async function prefetchObjects(source: CrawlSource, start: readonly Oid[], depth: number): Promise<number> {
  const { transaction } = source
  const frontier = new Frontier(start)
  let loaded = 0
  for (let level = 0; level <= depth; level++) {
    for await (const records of loadBatches(source, frontier.take(), transaction)) {
      if (records === undefined) return loaded
      for (const record of records) {
        if (record === undefined) continue
        if (source.fill(record).wasGhost) loaded++
        if (level < depth) frontier.add(record)
      }
    }
  }
  return loaded
}

/**
 * Every object that can be reached from `start`, breadth-first, if its class is wanted. Holds one number for each.
 *
 * @throws PerdureError `PERDURE_STALE` if the transaction is ended meanwhile
 */
export async function* crawlObjects(
  source: CrawlSource,
  start: readonly Oid[],
  wanted: (className: string) => boolean,
): AsyncGenerator<object, void, undefined> {
  const { transaction } = source
  const frontier = new Frontier(start)
  while (frontier.oids.length > 0) {
    for await (const records of loadBatches(source, frontier.take(), transaction)) {
      for (const record of records ?? []) {
        if (record === undefined) continue
        frontier.add(record)
        if (wanted(recordClassName(record.data))) yield source.fill(record).object
        // The program may have ended the transaction while it had the object.
        if (source.transaction !== transaction) break
      }
      if (source.transaction !== transaction) throw crawlEnded()
    }
  }
}

/** The records of these objects in batches; while one is being used, the next one is on its way. */
async function* loadBatches(
  source: CrawlSource,
  oids: readonly Oid[],
  transaction: number,
): AsyncGenerator<(StoredRecord | undefined)[] | undefined> {
  const load = (from: number) => {
    const records = source.loadAhead(oids.slice(from, from + BATCH), transaction)
    // Nobody hears of a failure if the batch is not wanted any more.
    records.catch(() => undefined)
    return records
  }
  let next = load(0)
  for (let from = 0; from < oids.length; from += BATCH) {
    const records = await next
    if (from + BATCH < oids.length) next = load(from + BATCH)
    yield records
  }
}

function crawlEnded(): PerdureError {
  return new PerdureError('PERDURE_STALE', 'The transaction in which this crawl began has ended. Begin a new crawl.')
}
