import { PerdureError } from '../../core/errors.js'
import { Reachability } from '../../core/graph/reachability.js'
import { ReferenceGraph } from '../../core/graph/reference-graph.js'
import { type Oid, ROOT_OID, type Tid } from '../../core/oid.js'
import { forEachReference } from '../../core/record.js'
import { checkRecord } from './checksum.js'
import { bytes, integer, type SqliteConnection } from './engine.js'
import type { SurveyJob, SurveyProgress } from './job-messages.js'
import { Reader } from './reader.js'
import { retainedFrom } from './retained.js'
import { readMeta } from './schema.js'

/** How many objects are taken into the graph at a time. */
const BATCH_OBJECTS = 4096

/** How many objects are marked between two reports. */
const MARK_STEP = 65_536

/**
 * Looks through all versions, and finds out which objects cannot be reached from the root in any state that is to be
 * kept, and of which ones there are versions before these.
 *
 * @throws PerdureError `PERDURE_HISTORY`, `PERDURE_ARGUMENT` as `Storage.pack` does; `PERDURE_CORRUPTION` if a record
 *   that is to be kept cannot be read; `PERDURE_LIMIT`
 */
export function survey(
  connection: SqliteConnection,
  { path, retain }: SurveyJob['data'],
  report: (progress: SurveyProgress) => void,
): SurveyJob['result'] {
  connection.exec('begin')
  const reader = new Reader(connection)
  const { tid: seen, objects, bytes: bytesTotal } = reader.newest()
  const { historyFrom: before, created } = readMeta(connection)
  const historyFrom = retainedFrom(reader, { path, newest: seen, historyFrom: before, created }, retain)
  const found = new Survey(path, historyFrom)
  const tell = (phase: SurveyProgress['phase'], done: number) =>
    report({
      phase,
      objects: Math.min(done, objects),
      objectsTotal: objects,
      bytes: Math.min(found.bytes, bytesTotal),
      bytesTotal,
    })
  const rows = connection.prepare<[number, number, number, Uint8Array | null]>(
    `select ${integer('oid')}, ${integer('tid')}, ${integer('checksum')}, ${bytes('data')} from records
     order by oid, tid`,
  )
  tell('scan', 0)
  for (const [oid, tid, checksum, data] of rows.iterate()) {
    if (found.add(oid, tid, checksum, data)) tell('scan', found.objects)
  }
  found.endObject()
  tell('scan', objects)
  const reachability = new Reachability(found.takeGraph(), [ROOT_OID])
  do tell('mark', reachability.reached)
  while (reachability.step(MARK_STEP))
  tell('mark', reachability.reached)
  return { seen, historyFrom, garbage: found.unreached(reachability), superseded: Float64Array.from(found.superseded) }
}

/** What is known of the objects so far. Versions come by object, oldest first. */
class Survey {
  /** Objects of which there are versions that the past does not need. */
  readonly superseded: Oid[] = []
  bytes = 0
  readonly #path: string
  readonly #historyFrom: Tid
  readonly #graph = new ReferenceGraph()
  /** Objects that exist in the newest state. */
  readonly #existing: Oid[] = []
  #batch: { oids: Oid[]; ends: number[]; references: Oid[] } = { oids: [], ends: [], references: [] }
  #oid: Oid = -1
  #versions = 0
  #isSuperseded = false
  #exists = false
  /** Why a version of it that is to be kept cannot be read. */
  #damage: { readonly error: unknown } | undefined
  /** Where the references of this object begin in the batch. */
  #start = 0

  constructor(path: string, historyFrom: Tid) {
    this.#path = path
    this.#historyFrom = historyFrom
  }

  get objects(): number {
    return this.#existing.length
  }

  /** Returns whether it is time to tell how far it has come. */
  add(oid: Oid, tid: Tid, checksum: number, data: Uint8Array | null): boolean {
    let isDue = false
    if (oid !== this.#oid) {
      this.endObject()
      isDue = this.#batch.oids.length >= BATCH_OBJECTS
      if (isDue) this.#flush()
      this.#oid = oid
      this.#start = this.#batch.references.length
    }
    const { references } = this.#batch
    this.#versions++
    if (tid <= this.#historyFrom && (this.#versions > 1 || data === null)) {
      this.#isSuperseded = true
      // The versions before are needed by nobody, so what they refer to is not either.
      references.length = this.#start
      this.#damage = undefined
    }
    this.#exists = data !== null
    if (data !== null) {
      this.bytes += data.length
      try {
        checkRecord(this.#path, oid, tid, data, checksum)
        forEachReference(data, (target) => references.push(target))
      } catch (error) {
        this.#damage ??= { error }
      }
    }
    return isDue
  }

  endObject(): void {
    if (this.#oid < 0) return
    if (this.#damage !== undefined) throw this.#unreadable(this.#damage.error)
    const { oids, ends, references } = this.#batch
    oids.push(this.#oid)
    ends.push(references.length)
    if (this.#exists) this.#existing.push(this.#oid)
    if (this.#isSuperseded) this.superseded.push(this.#oid)
    this.#oid = -1
    this.#versions = 0
    this.#isSuperseded = false
  }

  #unreadable(cause: unknown): PerdureError {
    const oid = this.#oid
    return new PerdureError(
      'PERDURE_CORRUPTION',
      `${this.#path} cannot be packed: object ${oid} cannot be read. Verify it, and restore a backup.`,
      { details: { path: this.#path, oid }, cause },
    )
  }

  #flush(): void {
    const { oids, ends, references } = this.#batch
    this.#graph.add({
      oids: Float64Array.from(oids),
      referenceEnds: Uint32Array.from(ends),
      references: Float64Array.from(references),
    })
    this.#batch = { oids: [], ends: [], references: [] }
  }

  takeGraph(): ReferenceGraph {
    this.#flush()
    return this.#graph
  }

  unreached(reachability: Reachability): Float64Array<ArrayBuffer> {
    const { oids } = this.#graph
    return Float64Array.from(this.#existing.filter((oid) => !reachability.has(oids.find(oid))))
  }
}
