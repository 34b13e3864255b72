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
    const batches = new Batches(source, frontier.take(), transaction)
    for (let batch = batches.take(); batch !== undefined; batch = batches.take()) {
      const records = await batch
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
    const batches = new Batches(source, frontier.take(), transaction)
    for (let batch = batches.take(); batch !== undefined; batch = batches.take()) {
      for (const record of (await batch) ?? []) {
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

type Batch = (StoredRecord | undefined)[] | undefined

/** The records of objects in batches: while one is being used, the next one is on its way. */
class Batches {
  readonly #source: CrawlSource
  readonly #oids: readonly Oid[]
  readonly #transaction: number
  #asked = 0
  #next: Promise<Batch> | undefined

  constructor(source: CrawlSource, oids: readonly Oid[], transaction: number) {
    this.#source = source
    this.#oids = oids
    this.#transaction = transaction
    this.#ask()
  }

  /** The next batch, or undefined if there is none. */
  take(): Promise<Batch> | undefined {
    const next = this.#next
    this.#ask()
    return next
  }

  #ask(): void {
    if (this.#asked >= this.#oids.length) {
      this.#next = undefined
      return
    }
    const oids = this.#oids.slice(this.#asked, this.#asked + BATCH)
    this.#asked += oids.length
    this.#next = this.#source.loadAhead(oids, this.#transaction)
    // Nobody hears of a failure if the batch is not wanted any more.
    this.#next.catch(() => undefined)
  }
}

function crawlEnded(): PerdureError {
  return new PerdureError('PERDURE_STALE', 'The transaction in which this crawl began has ended. Begin a new crawl.')
}
