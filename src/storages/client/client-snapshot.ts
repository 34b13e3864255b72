import { PerdureError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import type { RecordBatch, Snapshot, StoredRecord } from '../../core/storage.js'
import type { Part } from '../../server/protocol/messages.js'
import { notStored } from './commits.js'
import { closed, type Exchange } from './exchange.js'
import { streamParts } from './part-stream.js'
import type { ReadAhead } from './read-ahead.js'
import type { SharedRecords } from './shared-records.js'

/** So many objects are asked for in one request, and so many requests may be on their way. */
const OBJECTS_A_REQUEST = 1024
const REQUESTS_UNDER_WAY = 8

/** So few objects are asked for one by one, with what they refer to: somebody may be following a chain. */
const FEW_OBJECTS = 16

/** What the snapshots of one storage share. */
export interface ClientHandle {
  readonly location: string
  readonly exchange: Exchange
  readonly records: SharedRecords
  readonly readAhead: ReadAhead
  /** Number of the connection that `records` is about: the one in use, or, if there is none, the last one. */
  connection: number
  closed: boolean
  loads: number
}

/** A view that a server holds for this client, as long as the connection lasts on which it was asked for. */
export class ClientSnapshot implements Snapshot {
  readonly tid: Tid
  readonly #id: number
  readonly #connection: number
  readonly #handle: ClientHandle
  #released = false

  /** @param id the number by which the server knows it */
  constructor(handle: ClientHandle, id: number, tid: Tid) {
    this.#handle = handle
    this.#connection = handle.connection
    this.#id = id
    this.tid = tid
  }

  load(oid: Oid): StoredRecord | undefined {
    this.#checkReadable()
    this.#handle.loads++
    return this.#handle.records.find(oid, this.tid) ?? this.#fetch(oid)
  }

  /** Asks the server, which sends along what will probably be wanted next. */
  #fetch(oid: Oid): StoredRecord | undefined {
    this.#checkConnected()
    const { exchange, readAhead } = this.#handle
    readAhead.missed()
    const { records: aheadRecords, bytes: aheadBytes } = readAhead
    let found: StoredRecord | undefined
    exchange.askNow<'done'>({ type: 'load', snapshot: this.#id, oid, aheadRecords, aheadBytes }, (part) => {
      found = this.#keep(part, oid).find((record) => record.oid === oid) ?? found
    })
    return found
  }

  #keep(part: Part, asked: Oid): readonly StoredRecord[] {
    const { records, readAhead } = this.#handle
    const loaded = recordsOf(part).filter((record) => record !== undefined)
    records.keep(loaded, asked, this.tid)
    readAhead.brought(loaded.length - (loaded.some(({ oid }) => oid === asked) ? 1 : 0))
    return loaded
  }

  async loadMany(oids: readonly Oid[]): Promise<(StoredRecord | undefined)[]> {
    this.#checkReadable()
    const { records } = this.#handle
    this.#handle.loads += oids.length
    const loaded = oids.map((oid) => records.find(oid, this.tid))
    const missing: number[] = []
    for (let i = 0; i < oids.length; i++) if (loaded[i] === undefined) missing.push(i)
    if (missing.length > FEW_OBJECTS) await this.#fetchMany(oids.slice(), missing, loaded)
    else if (missing.length > 0) await this.#fetchFew(oids.slice(), missing, loaded)
    this.#checkReadable()
    return loaded
  }

  /** As {@link #fetchMany}, and keeps what comes along with each. */
  async #fetchFew(
    oids: readonly Oid[],
    missing: readonly number[],
    loaded: (StoredRecord | undefined)[],
  ): Promise<void> {
    this.#checkConnected()
    const { exchange, readAhead } = this.#handle
    readAhead.missed()
    const aheadRecords = Math.ceil(readAhead.records / missing.length)
    const aheadBytes = Math.ceil(readAhead.bytes / missing.length)
    await Promise.all(
      missing.map(async (position) => {
        const oid = oids[position] as Oid
        const request = { type: 'load', snapshot: this.#id, oid, aheadRecords, aheadBytes } as const
        await exchange.ask<'done'>(request, (part) => {
          const found = this.#keep(part, oid).find((record) => record.oid === oid)
          if (found !== undefined) loaded[position] = found
        })
      }),
    )
  }

  /** Fills in `loaded` at the positions that are `missing`. */
  async #fetchMany(
    oids: readonly Oid[],
    missing: readonly number[],
    loaded: (StoredRecord | undefined)[],
  ): Promise<void> {
    let next = 0
    const fetchSome = async () => {
      while (next < missing.length) {
        const positions = missing.slice(next, next + OBJECTS_A_REQUEST)
        next += positions.length
        await this.#fetchAt(oids, positions, loaded)
      }
    }
    const requests = Math.ceil(missing.length / OBJECTS_A_REQUEST)
    await Promise.all(Array.from({ length: Math.min(requests, REQUESTS_UNDER_WAY) }, fetchSome))
  }

  async #fetchAt(
    oids: readonly Oid[],
    positions: readonly number[],
    loaded: (StoredRecord | undefined)[],
  ): Promise<void> {
    this.#checkReadable()
    this.#checkConnected()
    let at = 0
    const wanted = positions.map((position) => oids[position] as Oid)
    const request = { type: 'loadMany', snapshot: this.#id, oids: wanted } as const
    // Parts are consumed as they come.
    for await (const part of streamParts(this.#handle.exchange, request, () => this.#checkReadable())) {
      for (const record of recordsOf(part)) loaded[positions[at++] as number] = record
    }
    if (at !== positions.length) {
      throw new PerdureError('PERDURE_PROTOCOL', `The server answered with ${at} records for ${positions.length} oids.`)
    }
  }

  async *records(): AsyncGenerator<StoredRecord> {
    for await (const part of this.#stream('records')) {
      for (const record of recordsOf(part)) {
        this.#checkReadable()
        if (record !== undefined) yield record
      }
    }
  }

  async *scan(): AsyncGenerator<RecordBatch> {
    for await (const part of this.#stream('scan')) if (part.type === 'batchPart') yield part.batch
  }

  async *#stream(type: 'records' | 'scan'): AsyncGenerator<Part> {
    this.#checkReadable()
    this.#checkConnected()
    yield* streamParts(this.#handle.exchange, { type, snapshot: this.#id }, () => this.#checkReadable())
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#handle.exchange.notify({ type: 'release', snapshot: this.#id }, this.#connection)
  }

  /** Records that are at hand can be read even when the connection is gone. */
  #checkReadable(): void {
    const { closed: isClosed, location, connection } = this.#handle
    if (isClosed) throw closed(location)
    if (this.#released) {
      throw new PerdureError('PERDURE_CLOSED', `The snapshot at transaction ${this.tid} has been released.`)
    }
    if (this.#connection !== connection) throw notStored(location)
  }

  #checkConnected(): void {
    if (this.#connection !== this.#handle.exchange.connection) throw notStored(this.#handle.location)
  }
}

function recordsOf(part: Part): readonly (StoredRecord | undefined)[] {
  return part.type === 'recordsPart' ? part.records : []
}
