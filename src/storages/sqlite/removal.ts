import type { Oid, Tid } from '../../core/oid.js'
import { forEachReference } from '../../core/record.js'
import type { RemovalRequest } from './messages.js'
import { ObjectSweeper } from './object-sweeper.js'
import { RemovalStatements } from './removal-statements.js'
import { readMeta, writeMeta } from './schema.js'
import type { DatabaseWriter } from './writer.js'

/** How many objects are worked on between two batches of commits: some milliseconds' work. */
const OBJECTS_PER_STEP = 500

/** Pages given back to the file system in one step. */
const PAGES_PER_STEP = 128

export interface RemovalEvents {
  /** Nothing has changed yet for others: it waits for {@link Removal.proceed} or {@link Removal.cancel}. */
  onPrepared(): void
  /** Garbage has been removed from the newest state: so many objects of all. */
  onRemoved(objects: number, objectsTotal: number): void
  onEnd(outcome: 'done' | 'cancelled' | Error): void
}

/**
 * Removes what a pack has found, in small steps, so that commits go on meanwhile.
 *
 * 1. The garbage is written to the table `doomed`, and what has been committed since the pack looked is gone through:
 *    what that refers to, and so on, is no garbage any more. Until the last of this nothing has changed for anybody.
 * 2. From one moment on the garbage is doomed: no commit can refer to it any more. It is removed in transactions of the
 *    pack's own, several, so that none of them is long. Should the process end before all is removed, the next one goes
 *    on with it. Otherwise there might be objects left that refer to removed ones, and somebody might link these again.
 * 3. Versions that nobody sees any more are deleted, and the space given back.
 */
export class Removal {
  readonly #writer: DatabaseWriter
  readonly #statements: RemovalStatements
  readonly #request: RemovalRequest
  readonly #events: RemovalEvents
  readonly #garbage: Set<Oid>
  readonly #openTids: () => ReadonlySet<Tid>
  readonly #steps: Generator<'more' | 'waiting', 'done' | 'cancelled'>
  #caughtUp: { readonly tid: Tid; readonly oid: Oid }
  #verdict: 'proceed' | 'cancel' | undefined
  #ended = false
  #failure: Error | undefined

  /** @param openTids gives the transactions at which there are snapshots */
  constructor(
    writer: DatabaseWriter,
    request: RemovalRequest,
    openTids: () => ReadonlySet<Tid>,
    events: RemovalEvents,
    resumed = false,
  ) {
    this.#writer = writer
    this.#statements = new RemovalStatements(writer.connection)
    this.#request = request
    this.#openTids = openTids
    this.#events = events
    this.#garbage = new Set(request.garbage)
    this.#caughtUp = { tid: request.seen, oid: Number.MAX_SAFE_INTEGER }
    this.#steps = resumed ? this.#remove() : this.#all()
    if (resumed) this.#doom()
  }

  /** Goes on with what an earlier process has left, or a full disk; undefined if there is nothing. */
  static resume(writer: DatabaseWriter, openTids: () => ReadonlySet<Tid>): Removal | undefined {
    const { removing: seen, historyFrom } = readMeta(writer.connection)
    if (seen === 0) return undefined
    const garbage = new Float64Array(new RemovalStatements(writer.connection).doomed())
    const request = { seen, historyFrom, garbage, superseded: new Float64Array() }
    const events = { onPrepared: () => {}, onRemoved: () => {}, onEnd: () => {} }
    return new Removal(writer, request, openTids, events, true)
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Does all the rest, whatever waits meanwhile. @throws whatever goes wrong */
  finish(): void {
    while (!this.#ended) this.step()
    if (this.#failure !== undefined) throw this.#failure
  }

  proceed(): void {
    this.#verdict ??= 'proceed'
  }

  /** Gives it up, if that can still be done. */
  cancel(): void {
    this.#verdict ??= 'cancel'
  }

  /** Does a little more. Returns false if it waits for something, or has ended. */
  step(): boolean {
    try {
      const step = this.#steps.next()
      if (!step.done) return step.value === 'more'
      this.#end(step.value)
    } catch (error) {
      this.#end(error as Error)
    }
    return false
  }

  /** What is doomed stays so if it fails, until somebody goes on with it. */
  #end(outcome: 'done' | 'cancelled' | Error): void {
    this.#ended = true
    if (outcome instanceof Error) this.#failure = outcome
    this.#events.onEnd(outcome)
  }

  *#all(): Generator<'more' | 'waiting', 'done' | 'cancelled'> {
    const writer = this.#writer
    // What a pack has left that was given up.
    yield* this.#forgetDoomed()
    for (const oids of slices(this.#request.garbage)) {
      writer.change(() => this.#statements.doom(oids))
      yield 'more'
    }
    while (!writer.change(() => this.#catchUp())) yield 'more'
    this.#events.onPrepared()
    while (this.#verdict === undefined) yield 'waiting'
    if (this.#verdict === 'cancel') {
      yield* this.#forgetDoomed()
      return 'cancelled'
    }
    while (!writer.change(() => this.#catchUp())) yield 'more'
    // In the same step, so that nothing has been committed that was not looked at.
    const { seen, historyFrom } = this.#request
    writer.change(() => writeMeta(writer.connection, { historyFrom, removing: seen }))
    writer.published.set('historyFrom', historyFrom)
    this.#doom()
    return yield* this.#remove()
  }

  *#forgetDoomed(): Generator<'more'> {
    while (this.#writer.change(() => this.#statements.forgetDoomed(OBJECTS_PER_STEP)) > 0) yield 'more'
  }

  /** Goes through some of what has been committed since, and returns whether that was all. */
  #catchUp(): boolean {
    const versions = this.#statements.versionsAfter(this.#caughtUp.tid, this.#caughtUp.oid, OBJECTS_PER_STEP)
    for (const { oid, data } of versions) this.#spare(oid, data)
    this.#caughtUp = versions.at(-1) ?? this.#caughtUp
    return versions.length < OBJECTS_PER_STEP
  }

  /** An object has been committed: neither it nor anything that can be reached from it is garbage. */
  #spare(oid: Oid, data: Uint8Array): void {
    const garbage = this.#garbage
    const found: Oid[] = []
    const visit = (target: Oid) => {
      if (!garbage.delete(target)) return
      this.#statements.undoom(target)
      found.push(target)
    }
    visit(oid)
    forEachReference(data, visit)
    for (let next = found.pop(); next !== undefined; next = found.pop()) {
      const version = this.#statements.newestData(next)
      if (version !== undefined) forEachReference(version, visit)
    }
  }

  /**
   * An object that has been stored anew is there, whatever it was. If not all of them can be removed, those that are left
   * stay doomed until they are: they may refer to others that have been.
   */
  #doom(): void {
    const { statements } = this.#writer
    const { seen } = this.#request
    this.#writer.isDoomed = (oid) => this.#garbage.has(oid) && (statements.newestVersion(oid)?.tid ?? 0) <= seen
    for (const oid of this.#garbage) this.#writer.forget(oid)
  }

  *#remove(): Generator<'more', 'done'> {
    const writer = this.#writer
    const garbage = Float64Array.from(this.#garbage)
    const objectsTotal = writer.published.get('objects')
    let removed = 0
    for (const oids of slices(garbage)) {
      writer.change(() => this.#removeObjects(oids))
      removed += oids.length
      this.#events.onRemoved(Math.min(removed, objectsTotal), objectsTotal)
      yield 'more'
    }
    writer.change(() => writeMeta(writer.connection, { removing: 0 }))
    writer.isDoomed = () => false
    yield* this.#sweep(garbage)
    yield* this.#deleteTransactions()
    while (writer.shrinkFile(PAGES_PER_STEP)) yield 'more'
    return 'done'
  }

  /** In a transaction of the pack's own, so that whoever has cached one of the objects learns of it. */
  #removeObjects(oids: Float64Array): void {
    const writer = this.#writer
    const { newest, statements } = writer
    const tid = newest.tid + 1
    let { objects } = newest
    for (const oid of oids) {
      const version = statements.newestVersion(oid)
      this.#statements.undoom(oid)
      // It may have been stored anew, or an earlier process has removed it.
      if (version === undefined || version.removed || version.tid > this.#request.seen) continue
      statements.insertRecord(oid, tid, '', undefined)
      writer.forget(oid)
      objects--
    }
    if (objects === newest.objects) return
    const time = Math.max(newest.time, Date.now())
    const remarks = { user: '', note: '', token: undefined, bytes: 0, packed: true }
    writer.append({ ...newest, tid, time, objects }, remarks)
  }

  /** Deletes what neither a snapshot nor anybody who asks for the past can see. */
  *#sweep(garbage: Float64Array): Generator<'more'> {
    const writer = this.#writer
    const { published } = writer
    // In this order: a snapshot that is not among the open ones finds that it must be at a newer transaction.
    const sweptAt = writer.newest.tid
    writer.change(() => writeMeta(writer.connection, { sweptAt }))
    published.set('sweptAt', sweptAt)
    const sweeper = new ObjectSweeper(this.#statements, this.#request.historyFrom, this.#openTids())
    for (const [oids, isGarbage] of [
      [garbage, true],
      [this.#request.superseded, false],
    ] as const) {
      for (const some of slices(oids)) {
        const { bytes, forgotten } = writer.change(() => {
          const swept = sweeper.sweep(some, isGarbage)
          if (swept.bytes > 0) writer.shrink(swept.bytes)
          if (swept.forgotten > published.get('removalsFrom')) {
            published.set('removalsFrom', swept.forgotten)
            writeMeta(writer.connection, { removalsFrom: swept.forgotten })
          }
          return swept
        })
        if (bytes > 0 || forgotten > 0) yield 'more'
      }
    }
  }

  *#deleteTransactions(): Generator<'more'> {
    const { historyFrom } = this.#request
    const remove = () => this.#statements.deleteTransactions(historyFrom, OBJECTS_PER_STEP)
    while (this.#writer.change(remove) > 0) yield 'more'
  }
}

function* slices(oids: Float64Array): Generator<Float64Array> {
  for (let at = 0; at < oids.length; at += OBJECTS_PER_STEP) yield oids.subarray(at, at + OBJECTS_PER_STEP)
}
