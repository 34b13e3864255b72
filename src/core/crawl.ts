import { PerdureError } from './errors.js'
import type { Oid } from './oid.js'
import { type DecodedRecord, decodeRecord } from './record.js'
import type { StoredRecord } from './storage.js'

/** How many records are loaded at a time, at first and at most. */
const FIRST_BATCH = 64
const LARGEST_BATCH = 1024

/** What a batch is expected to take, in bytes: of large records fewer are loaded at a time. */
const BATCH_BYTES = 1024 * 1024

/** So many batches are on their way while one is being used, so that the storage need not wait for the program. */
const AHEAD = 2

/** What loading ahead needs of a connection. */
export interface CrawlSource {
  /** Number of the running transaction. */
  readonly transaction: number
  /** Records as of the snapshot of the transaction with this number; undefined if it has ended before they were there. */
  loadAhead(oids: readonly Oid[], transaction: number): Promise<(StoredRecord | undefined)[] | undefined>
  /** Makes the record's object, if it is not there, and gives it its state, if it has none. */
  fill(stored: StoredRecord, record: DecodedRecord): { readonly object: object; readonly wasGhost: boolean }
}

/** The oids of a breadth-first walk that have not been seen before. */
class Frontier {
  readonly #seen: Set<Oid>
  oids: Oid[]

  constructor(start: readonly Oid[]) {
    this.#seen = new Set(start)
    this.oids = [...this.#seen]
  }

  add({ references }: DecodedRecord): void {
    for (const { oid } of references) {
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
      for (const stored of records) {
        if (stored === undefined) continue
        const record = decodeRecord(stored.data)
        if (source.fill(stored, record).wasGhost) loaded++
        if (level < depth) frontier.add(record)
      }
    }
  }
  return loaded
}

/**
 * Every object that can be reached from `start`, breadth-first, if its class is wanted. Holds one number for each.
 *
 * @param start called when the first object is asked for
 * @throws PerdureError `PERDURE_STALE` if the transaction is ended meanwhile
 */
export async function* crawlObjects(
  source: CrawlSource,
  start: () => readonly Oid[],
  wanted: (className: string) => boolean,
): AsyncGenerator<object, void, undefined> {
  const frontier = new Frontier(start())
  const { transaction } = source
  while (frontier.oids.length > 0) {
    const batches = new Batches(source, frontier.take(), transaction)
    for (let batch = batches.take(); batch !== undefined; batch = batches.take()) {
      for (const stored of (await batch) ?? []) {
        if (stored === undefined) continue
        const record = decodeRecord(stored.data)
        frontier.add(record)
        if (wanted(record.className)) yield source.fill(stored, record).object
        // The program may have ended the transaction while it had the object.
        if (source.transaction !== transaction) break
      }
      if (source.transaction !== transaction) throw crawlEnded()
    }
  }
}

type Batch = (StoredRecord | undefined)[] | undefined

/** The records of objects in batches: while one is being used, the next ones are on their way. */
class Batches {
  readonly #source: CrawlSource
  readonly #oids: readonly Oid[]
  readonly #transaction: number
  readonly #underWay: Promise<Batch>[] = []
  #asked = 0
  #size = FIRST_BATCH

  constructor(source: CrawlSource, oids: readonly Oid[], transaction: number) {
    this.#source = source
    this.#oids = oids
    this.#transaction = transaction
    this.#ask()
  }

  /** The next batch, or undefined if there is none. */
  take(): Promise<Batch> | undefined {
    const next = this.#underWay.shift()
    this.#ask()
    return next
  }

  #ask(): void {
    while (this.#underWay.length < AHEAD && this.#asked < this.#oids.length) {
      const oids = this.#oids.slice(this.#asked, this.#asked + this.#size)
      this.#asked += oids.length
      const batch = this.#load(oids)
      // Nobody hears of a failure if the batch is not wanted any more.
      batch.catch(() => undefined)
      this.#underWay.push(batch)
    }
  }

  async #load(oids: readonly Oid[]): Promise<Batch> {
    const records = await this.#source.loadAhead(oids, this.#transaction)
    const bytes = records?.reduce((sum, record) => sum + (record?.data.length ?? 0), 0) ?? 0
    const fitting = bytes === 0 ? LARGEST_BATCH : Math.floor((oids.length * BATCH_BYTES) / bytes)
    this.#size = Math.max(1, Math.min(LARGEST_BATCH, fitting))
    return records
  }
}

function crawlEnded(): PerdureError {
  return new PerdureError('PERDURE_STALE', 'The transaction in which this crawl began has ended. Begin a new crawl.')
}
