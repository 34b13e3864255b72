import type { Oid } from '../core/oid.js'
import { recordReferences } from '../core/record.js'
import type { Snapshot, StoredRecord } from '../core/storage.js'
import { Frontier } from './frontier.js'
import { FrameWriter } from './protocol/frame-writer.js'
import { RecordParts } from './record-parts.js'
import { SentMemory } from './sent-memory.js'

/** Whatever the client asks for, no more than this is sent along with an object. */
const MOST_RECORDS = 1024
const MOST_BYTES = 1024 * 1024

/** For each record that may be sent, so many are looked at, most of which the client has already. */
const LOOKS_PER_RECORD = 4

/** Others wait while records are looked at, so there is an end to it, in time as well: some have to be read from the disk. */
const MOST_LOOKS = 2048
const MOST_MS = 2

/** So many are looked at between two looks at the clock. */
const LOOKS_PER_CHECK = 32

/** So many objects wait to be looked at. */
const MOST_QUEUED = 4096

/** Loads are answered in one go, so one writer serves all sessions. */
const writer = new FrameWriter()

export interface LoadOrder {
  readonly request: number
  readonly oid: Oid
  readonly aheadRecords: number
  readonly aheadBytes: number
  readonly limitBytes: number
}

/**
 * Answers loads with what will probably be asked for next: what the object refers to, breadth-first. If that is less
 * than may be sent, what earlier answers had no room for follows, from the object asked for on: so a client that goes
 * through the children of a node gets many of them at a time. What the client was sent lately is left out.
 */
export class ReadAhead {
  readonly #sent = new SentMemory()
  readonly #frontier = new Frontier()
  readonly #mostMs: number

  constructor(mostMs = MOST_MS) {
    this.#mostMs = mostMs
  }

  /**
   * @returns the parts of the answer, and how many records are in them
   * @throws PerdureError as `Snapshot.load` does, for the object asked for only; `PERDURE_LIMIT`
   */
  load(snapshot: Snapshot, order: LoadOrder): { frames: Buffer[]; records: number } {
    const frames: Buffer[] = []
    const record = snapshot.load(order.oid)
    if (record === undefined) return { frames, records: 0 }
    const parts = new RecordParts(order.request, order.limitBytes, writer)
    parts.add(record)
    if (order.aheadRecords === 0 || order.aheadBytes === 0) return { frames: finished(parts, frames), records: 1 }
    // Who asks for what has been sent has forgotten it, and more besides.
    if (this.#sent.has(record.oid, record.tid)) this.forget()
    this.#sent.note(record.oid, record.tid)
    const ahead = new Ahead(order, parts, frames, this.#mostMs)
    try {
      this.#sendAhead(snapshot, record, ahead)
    } catch {
      // Nobody has asked for the object that cannot be read. Whoever does will get the error.
    }
    return { frames: finished(parts, frames), records: 1 + ahead.records }
  }

  /** Gives up what is remembered of the client, to be called when it has been idle for long. */
  forget(): void {
    this.#sent.clear()
    this.#frontier.clear()
  }

  #sendAhead(snapshot: Snapshot, asked: StoredRecord, ahead: Ahead): void {
    const later = this.#frontier.from(asked.oid)
    const queue = recordReferences(asked.data).slice(0, MOST_QUEUED)
    const seen = new Set<Oid>([asked.oid])
    let next = 0
    while (ahead.mayLook()) {
      const isQueued = next < queue.length
      const oid = isQueued ? queue[next++] : later.next()
      if (oid === undefined) break
      if (seen.has(oid)) continue
      seen.add(oid)
      const record = snapshot.load(oid)
      if (record === undefined || this.#sent.has(record.oid, record.tid)) continue
      if (!ahead.add(record)) {
        if (isQueued) next--
        break
      }
      this.#sent.note(record.oid, record.tid)
      if (queue.length < MOST_QUEUED) queue.push(...recordReferences(record.data).slice(0, MOST_QUEUED))
    }
    this.#frontier.add(queue, next)
  }
}

function finished(parts: RecordParts, frames: Buffer[]): Buffer[] {
  const last = parts.take()
  if (last !== undefined) frames.push(last)
  return frames
}

/** What may still be sent along. */
class Ahead {
  readonly #parts: RecordParts
  readonly #frames: Buffer[]
  readonly #mostRecords: number
  #bytesLeft: number
  #looks: number
  readonly #until: number
  records = 0

  constructor(order: LoadOrder, parts: RecordParts, frames: Buffer[], mostMs: number) {
    this.#parts = parts
    this.#frames = frames
    this.#mostRecords = Math.min(order.aheadRecords, MOST_RECORDS)
    this.#bytesLeft = Math.min(order.aheadBytes, MOST_BYTES)
    this.#looks = Math.min(this.#mostRecords * LOOKS_PER_RECORD, MOST_LOOKS)
    this.#until = performance.now() + mostMs
  }

  mayLook(): boolean {
    if (this.records >= this.#mostRecords || this.#bytesLeft <= 0 || this.#looks-- <= 0) return false
    return this.#looks % LOOKS_PER_CHECK !== 0 || performance.now() < this.#until
  }

  /** @returns false if there is no room for it */
  add(record: StoredRecord): boolean {
    if (record.data.length > this.#bytesLeft) return false
    if (this.#parts.isFull || !this.#parts.fits(record)) {
      const part = this.#parts.take()
      if (part !== undefined) this.#frames.push(part)
    }
    this.#parts.add(record)
    this.#bytesLeft -= record.data.length
    this.records++
    return true
  }
}
