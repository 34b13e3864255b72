import { type Conflict, PerdureError, packError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import { recordClassName } from '../../core/record.js'
import { ReferenceCheck } from '../../core/reference-check.js'
import type { CommitOutcome } from '../../workers/messages.js'
import type { SqliteConnection, SqliteEngine } from './engine.js'
import { KnownOids } from './known-oids.js'
import type { CommitMessage, OpenedDatabase, WriterSettings } from './messages.js'
import { openForWriting } from './open-for-writing.js'
import { PublishedNumbers } from './published-numbers.js'
import { checkNumbers, type Meta, writeMeta } from './schema.js'
import { type NewestTransaction, WriterStatements } from './writer-statements.js'

/** Objects may be given oids that were not allocated, as long as they are not further ahead than this. */
const STRAY_OIDS = 2 ** 20

/** Oids are set aside in the database by so many, so that not each commit that makes objects has to. */
const OIDS_SET_ASIDE = 2 ** 16

/** One transaction that waits for its outcome. */
export interface PendingCommit {
  readonly message: Omit<CommitMessage, 'id'>
  /** Called once, after the outcome is final and visible to all. */
  readonly answer: (outcome: CommitOutcome) => void
}

/**
 * Decides the order of commits and writes them, by the only connection that writes. It knows nothing of threads and
 * their messages.
 */
export class DatabaseWriter {
  readonly connection: SqliteConnection
  readonly published = new PublishedNumbers()
  readonly statements: WriterStatements
  readonly meta: Meta
  /** Whether a pack is about to remove an object. To everybody who commits it is gone already. */
  isDoomed: (oid: Oid) => boolean = () => false
  readonly #known = new KnownOids()
  #newest: NewestTransaction
  /** As the database says: oids from there on need not be remembered. */
  #setAside: Oid
  #poison: PerdureError | undefined

  /** @throws what {@link openForWriting} throws */
  constructor(engine: SqliteEngine, settings: WriterSettings) {
    const { connection, meta } = openForWriting(engine, settings)
    this.connection = connection
    this.meta = meta
    try {
      this.statements = new WriterStatements(connection)
      this.#newest = this.statements.newestTransaction()
      checkNumbers(connection.path, meta, this.#newest)
      this.#setAside = meta.nextOid
    } catch (error) {
      connection.close()
      throw error
    }
    const { published } = this
    published.raiseNextOid(Math.max(1, meta.nextOid))
    published.set('historyFrom', meta.historyFrom)
    published.set('sweptAt', meta.sweptAt)
    published.set('removalsFrom', meta.removalsFrom)
    this.#publish(this.#newest)
  }

  get opened(): OpenedDatabase {
    const { serializer, databaseId, created } = this.meta
    return { serializer, databaseId, created, published: this.published.memory }
  }

  get newest(): NewestTransaction {
    return this.#newest
  }

  /** Validates the commits in order, stores those that pass in one transaction of SQLite, and answers all. */
  runBatch(batch: readonly PendingCommit[]): void {
    const before = this.#newest
    let outcomes: CommitOutcome[]
    try {
      if (this.#poison !== undefined) throw this.#poison
      const now = Date.now()
      outcomes = this.change(() => batch.map(({ message }) => this.#run(message, now)))
    } catch (error) {
      const packed = packError(error)
      for (const { answer } of batch) answer({ error: packed })
      return
    }
    const { published } = this
    const commits = this.#newest.tid - before.tid
    const conflicts = outcomes.reduce((count, outcome) => count + (outcome.conflicts === undefined ? 0 : 1), 0)
    if (commits > 0) {
      published.add('commits', commits)
      published.add('batches', 1)
      published.set('largestBatch', Math.max(published.get('largestBatch'), commits))
    }
    if (conflicts > 0) published.add('conflicts', conflicts)
    for (const [i, { answer }] of batch.entries()) answer(outcomes[i] as CommitOutcome)
  }

  /**
   * Changes the database in one transaction of SQLite, and publishes what it has become. If it throws, nothing has
   * changed; or that is not known, and then nothing can be changed any more.
   *
   * @throws PerdureError whatever goes wrong; `PERDURE_POISONED`
   */
  change<T>(work: () => T): T {
    if (this.#poison !== undefined) throw this.#poison
    const before = this.#newest
    let finishing = false
    try {
      this.connection.exec('begin immediate')
      const result = work()
      finishing = true
      this.connection.exec('commit')
      if (this.#newest !== before) this.#publish(this.#newest)
      return result
    } catch (error) {
      this.#newest = before
      this.#known.clear()
      this.#setAside = 0
      this.#giveUp(finishing, error)
      throw this.#poison ?? error
    }
  }

  /** Takes back what was not committed. If that fails, or a commit has failed half-way, nobody knows what is stored. */
  #giveUp(finishing: boolean, cause: unknown): void {
    let failure = finishing ? cause : undefined
    try {
      this.connection.exec('rollback')
    } catch (error) {
      // SQLite has rolled back by itself where the disk is full or fails.
      if (!(error instanceof PerdureError) || !/no transaction is active/.test(error.message)) failure ??= error
    }
    if (failure === undefined) return
    const { path } = this.connection
    const reason = failure instanceof Error ? failure.message : String(failure)
    this.#poison = new PerdureError(
      'PERDURE_POISONED',
      `${path} takes no more commits, because it is not known whether the last ones were stored: ${reason} Close it and open it again.`,
      { details: { path }, cause: failure },
    )
  }

  #publish({ tid, objects, totalBytes }: NewestTransaction): void {
    const { published } = this
    published.set('objects', objects)
    published.set('bytes', totalBytes)
    published.set('tid', tid)
  }

  #run(message: PendingCommit['message'], now: number): CommitOutcome {
    const { base, oids } = message
    let classNames: readonly string[]
    // Only what goes wrong before anything is written can be told of one transaction alone.
    try {
      if (base > this.#newest.tid) {
        throw new PerdureError(
          'PERDURE_ARGUMENT',
          `No snapshot can have tid ${base}: the newest is ${this.#newest.tid}.`,
        )
      }
      const changed = base === this.#newest.tid ? [] : this.#findConflicts(message)
      if (changed.length > 0) return { conflicts: changed }
      if (oids.length === 0) return { tid: base }
      const removed = this.#findRemoved(message)
      if (removed.length > 0) return { conflicts: removed }
      this.#checkOids(oids)
      classNames = oids.map((_oid, i) => recordClassName(recordAt(message, i)))
    } catch (error) {
      return { error: packError(error) }
    }
    return { tid: this.#store(message, classNames, Math.max(this.#newest.time, message.restoredAt ?? now)) }
  }

  #findConflicts({ base, reads, oids }: PendingCommit['message']): Conflict[] {
    const conflicts: Conflict[] = []
    for (const oid of new Set([...reads, ...oids])) {
      const version = this.statements.newestVersion(oid)
      if (version === undefined || version.tid <= base || version.removed) continue
      conflicts.push({ oid, className: version.className, tid: version.tid })
    }
    return conflicts
  }

  /** The objects that the records refer to and that have been removed after `base`. */
  #findRemoved(message: PendingCommit['message']): Conflict[] {
    const { base, oids, restoredAt } = message
    const written = new Set(oids)
    const isCopy = restoredAt !== undefined
    const references = new ReferenceCheck((oid) => {
      if (written.has(oid)) return true
      // What is copied may refer to what is still to come.
      return !this.isDoomed(oid) && (isCopy || this.#exists(oid))
    })
    for (const [i, oid] of oids.entries()) references.add(oid, recordAt(message, i))
    const { tid: newest } = this.#newest
    const removals = new Map<Oid, Tid>()
    const removed = references.removedSince(() => {
      if (base < this.published.get('removalsFrom')) return undefined
      for (const { oid, tid } of this.statements.removalsAfter(base)) removals.set(oid, tid)
      return { [Symbol.iterator]: () => removals.keys() }
    })
    return removed.map((oid) => ({ oid, className: '', tid: removals.get(oid) ?? newest }))
  }

  #exists(oid: Oid): boolean {
    if (this.#known.has(oid)) return true
    const version = this.statements.newestVersion(oid)
    if (version === undefined || version.removed) return false
    this.#known.add(oid)
    return true
  }

  /** One stray oid would otherwise use up all that are before it. */
  #checkOids(oids: readonly Oid[]): void {
    const allocated = this.published.get('nextOid')
    const oid = oids.find((oid) => oid >= allocated + STRAY_OIDS)
    if (oid === undefined) return
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `Oid ${oid} has never been allocated: the next one is ${allocated}. Get oids from allocateOids().`,
      { details: { oid } },
    )
  }

  #store(message: PendingCommit['message'], classNames: readonly string[], time: number): Tid {
    const { oids, data, user, note, token } = message
    const tid = this.#newest.tid + 1
    let { objects } = this.#newest
    for (const [i, oid] of oids.entries()) {
      if (!this.#exists(oid)) objects++
      this.statements.insertRecord(oid, tid, classNames[i] as string, recordAt(message, i))
      this.#known.add(oid)
    }
    const totalBytes = this.#newest.totalBytes + data.length
    const bytes = data.length + Buffer.byteLength(user) + Buffer.byteLength(note) + (token?.length ?? 0)
    this.append({ tid, time, objects, totalBytes }, { user, note, token, bytes, packed: false })
    this.#setOidsAside(oids.reduce((largest, oid) => Math.max(largest, oid), 0))
    return tid
  }

  /** Stores a transaction, whose versions have been stored. Within {@link change}. */
  append(newest: NewestTransaction, remarks: Parameters<WriterStatements['insertTransaction']>[1]): void {
    this.statements.insertTransaction(newest, remarks)
    this.#newest = newest
  }

  /** Notes that versions of the past have been removed. Within {@link change}. */
  shrink(bytes: number): void {
    const totalBytes = this.#newest.totalBytes - bytes
    this.#newest = { ...this.#newest, totalBytes }
    this.statements.updateTotal(this.#newest.tid, totalBytes)
  }

  /** To be called of an object that does not exist any more. */
  forget(oid: Oid): void {
    this.#known.delete(oid)
  }

  #setOidsAside(largest: Oid): void {
    if (largest < this.#setAside) return
    this.published.raiseNextOid(largest + 1)
    const nextOid = this.published.get('nextOid') + OIDS_SET_ASIDE
    writeMeta(this.connection, { nextOid })
    this.#setAside = nextOid
  }

  /** Gives up to so many free pages back to the file system. Returns whether there are more. */
  shrinkFile(pages: number): boolean {
    const before = this.statements.freePages()
    if (before === 0) return false
    this.statements.giveBack(pages)
    const after = this.statements.freePages()
    return after > 0 && after < before
  }

  /** @throws PerdureError if the file cannot be closed in good order: nothing is lost by that */
  close(): void {
    try {
      if (this.#poison !== undefined) return
      this.change(() => this.#giveOidsBack())
      // Readers of this process may still have the file open, and then SQLite leaves its files where they are.
      this.statements.checkpoint()
    } finally {
      this.connection.close()
    }
  }

  #giveOidsBack(): void {
    const nextOid = this.published.get('nextOid')
    if (nextOid !== this.#setAside) writeMeta(this.connection, { nextOid })
  }
}

function recordAt({ ends, data }: PendingCommit['message'], i: number): Uint8Array {
  return data.subarray(ends[i - 1] ?? 0, ends[i])
}
