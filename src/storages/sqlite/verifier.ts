import { setImmediate as nextTurn } from 'node:timers/promises'
import { PerdureError } from '../../core/errors.js'
import { NumberColumn } from '../../core/graph/number-column.js'
import { OidNumbering } from '../../core/graph/oid-numbering.js'
import type { Oid } from '../../core/oid.js'
import { ANY_CLASS, type DecodedRecord, decodeRecord } from '../../core/record.js'
import type { StoredRecord, VerifyOptions, VerifyProblem, VerifyReport } from '../../core/storage.js'
import type { WorkerPool } from '../../workers/pool.js'
import { Findings } from '../../workers/verify-findings.js'
import { verifyStates } from '../../workers/verify-states-task.js'
import type { SqliteBackend, ViewAt } from './backend.js'
import { runJob } from './job.js'
import type { CheckJob } from './job-messages.js'

/** Records are read and handed to the pool by so many, or fewer if they are large. */
const BATCH_RECORDS = 1024
const BATCH_BYTES = 1024 * 1024

/** Batches that the threads of the pool have before them. */
const BATCHES_AHEAD = 4

/**
 * Lets SQLite check the file, then reads every object of the newest state, decodes it, and looks where its references
 * lead.
 *
 * @throws PerdureError `PERDURE_THREAD`, `PERDURE_SERIALIZER`, `PERDURE_CLOSED`; the reason of `options.signal`
 */
export async function verifyDatabase(
  backend: SqliteBackend,
  pool: WorkerPool,
  options: VerifyOptions,
  assertOpen: () => void,
): Promise<VerifyReport> {
  const { path, settings } = backend
  const { signal } = options
  const total = new Findings()
  const { cacheBytes } = settings
  const wrong = await runJob<CheckJob>({ job: 'check', path, cacheBytes }, { signal }).catch((error: unknown) => [
    damageOf(error),
  ])
  for (const message of wrong) total.add({ kind: 'damaged', message: `${path} is damaged: ${message}` })
  assertOpen()
  const view = backend.newest()
  try {
    const verifier = new Verifier(backend, pool, view, total, options, assertOpen)
    await verifier.readAll()
    verifier.checkReferences()
    verifier.report()
    return total
  } finally {
    view.release()
  }
}

/** What of an error tells of damage; everything else is thrown again. */
function damageOf(error: unknown): string {
  const codes = ['PERDURE_CORRUPTION', 'PERDURE_NOT_A_DATABASE', 'PERDURE_IO']
  if (error instanceof PerdureError && codes.includes(error.code)) return error.message
  throw error
}

class Verifier {
  readonly #backend: SqliteBackend
  readonly #pool: WorkerPool
  readonly #view: ViewAt
  readonly #total: Findings
  readonly #options: VerifyOptions
  readonly #assertOpen: () => void
  readonly #objectsTotal: number
  readonly #bytesTotal: number
  readonly #oids = new OidNumbering()
  readonly #classNumbers = new Map<string, number>()
  /** Of the object with each number: one more than the number of its class, or 0 if there is none. */
  readonly #classes = new NumberColumn()
  /** Objects that are there and cannot be read. */
  readonly #unreadable = new Set<Oid>()
  /** Each reference: from which object, to which, and the class it names, by their numbers. */
  readonly #edges = { from: new NumberColumn(), to: new NumberColumn(), className: new NumberColumn() }
  readonly #running = new Set<Promise<void>>()

  constructor(
    backend: SqliteBackend,
    pool: WorkerPool,
    view: ViewAt,
    total: Findings,
    options: VerifyOptions,
    assertOpen: () => void,
  ) {
    this.#backend = backend
    this.#pool = pool
    this.#view = view
    this.#total = total
    this.#options = options
    this.#assertOpen = assertOpen
    const { objects, bytes } = backend.figures()
    this.#objectsTotal = objects
    this.#bytesTotal = bytes
  }

  async readAll(): Promise<void> {
    let last = -1
    let failure: unknown
    for (let limit = BATCH_RECORDS; ; ) {
      this.#options.signal?.throwIfAborted()
      this.#assertOpen()
      const page = this.#page(last, limit)
      if (page === undefined) break
      const bytes = page.records.reduce((sum, { data }) => sum + data.length, 1)
      last = page.last
      limit = Math.max(1, Math.min(BATCH_RECORDS, Math.floor((BATCH_BYTES * page.records.length) / bytes)))
      const check = this.#check(page.records).catch((error: unknown) => {
        failure ??= error
      })
      this.#running.add(check)
      void check.then(() => this.#running.delete(check))
      if (this.#running.size >= BATCHES_AHEAD) await Promise.race(this.#running)
      else await nextTurn()
      if (failure !== undefined) break
    }
    await Promise.all(this.#running)
    if (failure !== undefined) throw failure
  }

  /** The next records; where they cannot be read, the next one alone. Undefined at the end. */
  #page(after: Oid, limit: number): { readonly records: StoredRecord[]; readonly last: Oid } | undefined {
    const { reader, tid } = this.#view
    try {
      const records = reader.page(after, tid, limit)
      const last = records.at(-1)?.oid
      return last === undefined ? undefined : { records, last }
    } catch (error) {
      damageOf(error)
    }
    const next = this.#nextOid(after)
    if (next === undefined) return undefined
    try {
      const record = reader.load(next, tid)
      return { records: record === undefined ? [] : [record], last: next }
    } catch (error) {
      this.#unreadable.add(next)
      this.#total.add({ kind: 'damaged', oid: next, message: damageOf(error) })
      return { records: [], last: next }
    }
  }

  #nextOid(after: Oid): Oid | undefined {
    try {
      return this.#view.reader.nextOid(after)
    } catch (error) {
      const message = `The objects after ${after} cannot be found: ${damageOf(error)}`
      this.#total.add({ kind: 'index', message })
      return undefined
    }
  }

  async #check(records: readonly StoredRecord[]): Promise<void> {
    const readable = records.filter((record) => this.#take(record))
    for (const problem of await verifyStates(this.#pool, this.#backend.serializer, readable)) this.#total.add(problem)
    this.report()
  }

  /** Notes an object's class and references. Returns whether its record makes sense. */
  #take(record: StoredRecord): boolean {
    const { oid } = record
    let decoded: DecodedRecord
    try {
      decoded = decodeRecord(record.data)
    } catch (error) {
      if (!(error instanceof PerdureError)) throw error
      this.#unreadable.add(oid)
      this.#total.add({ kind: 'undecodable', oid, message: error.message })
      return false
    }
    this.#total.count(record, decoded.className)
    const number = this.#oids.numberOf(oid)
    this.#classes.set(number, 1 + this.#classNumber(decoded.className))
    for (const reference of decoded.references) {
      this.#edges.from.push(number)
      this.#edges.to.push(this.#oids.numberOf(reference.oid))
      this.#edges.className.push(this.#classNumber(reference.className))
    }
    return true
  }

  #classNumber(name: string): number {
    const known = this.#classNumbers.get(name)
    if (known !== undefined) return known
    const number = this.#classNumbers.size
    this.#classNumbers.set(name, number)
    return number
  }

  /** Every reference leads to an object of the class it names. */
  checkReferences(): void {
    const { from, to, className } = this.#edges
    const names = [...this.#classNumbers.keys()]
    const anyClass = this.#classNumber(ANY_CLASS)
    const bad: { from: number; to: number; named: number; found: number }[] = []
    for (let i = 0; i < from.length; i++) {
      const target = to.get(i)
      const found = target < this.#classes.length ? this.#classes.get(target) : 0
      const named = className.get(i)
      if (found === named + 1 || (found !== 0 && named === anyClass)) continue
      bad.push({ from: from.get(i), to: target, named, found })
    }
    if (bad.length === 0) return
    const oids = new Map([...this.#oids.entries()].map(([oid, number]) => [number, oid]))
    const removed = this.#removed(bad.map((edge) => oids.get(edge.from) as Oid))
    for (const edge of bad) {
      const oid = oids.get(edge.from) as Oid
      const target = oids.get(edge.to) as Oid
      if (this.#unreadable.has(target) || removed.has(oid)) continue
      this.#total.add(problemOf(oid, target, names, this.#classes.get(edge.from) - 1, edge))
    }
  }

  /** Those that a pack has removed meanwhile, or is removing: it may have come to what they refer to before. */
  #removed(oids: readonly Oid[]): Set<Oid> {
    const { reader, extent, release } = this.#backend.whole()
    try {
      return new Set(oids.filter((oid) => reader.isRemoved(oid, extent.newest)))
    } finally {
      release()
    }
  }

  report(): void {
    const { objects, bytes } = this.#total
    const isAll = this.#running.size === 0
    this.#options.onProgress?.({
      objects,
      objectsTotal: isAll ? objects : Math.max(objects, this.#objectsTotal),
      bytes,
      bytesTotal: isAll ? bytes : Math.max(bytes, this.#bytesTotal),
    })
  }
}

function problemOf(
  oid: Oid,
  target: Oid,
  names: readonly string[],
  ownClass: number,
  { named, found }: { readonly named: number; readonly found: number },
): VerifyProblem {
  const className = names[ownClass] ?? ''
  const what = `${names[named] || 'object'} ${target}`
  return found === 0
    ? { kind: 'dangling-reference', oid, className, message: `It refers to ${what}, which does not exist.` }
    : { kind: 'wrong-class', oid, className, message: `It refers to ${what}, which is a ${names[found - 1]}.` }
}
