import { PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import { type DecodedRecord, decodeRecord } from '../core/record.js'
import { recordTid } from './format.js'
import { OidNumbers } from './oid-numbers.js'
import type { SalvageWriter } from './salvage-writer.js'
import type { ScannedTransaction } from './scanner.js'

/** No list of a report is longer than this. */
export const MAX_LISTED = 10_000

/** An object of which the newest version is lost. */
export interface LostObject {
  readonly oid: Oid
  /** Undefined if nothing tells: no older version is left, and nothing that is left refers to it. */
  readonly className: string | undefined
  /** The transaction of the newest version that is left, older than the lost one. Undefined if none is left. */
  readonly keptTid: Tid | undefined
}

/** A reference to an object of which nothing is left. */
export interface DanglingReference {
  /** The object that holds the reference. */
  readonly oid: Oid
  readonly className: string
  readonly targetOid: Oid
  readonly targetClassName: string
}

type Draft = { -readonly [name in keyof LostObject]: LostObject[name] }

/** Finds out what a salvaged journal lacks, from what refers to it. */
export class Losses {
  /** Objects in the new journal, with the newest version that is left. */
  objects = 0
  lostCount = 0
  danglingCount = 0
  readonly dangling: DanglingReference[] = []
  /** Larger than every oid that is known to have been used. */
  nextOid: Oid = 0
  readonly #writer: SalvageWriter
  readonly #maxOid: Oid
  readonly #noted = new OidNumbers()
  readonly #lost = new Map<Oid, Draft>()

  /** @param maxOid references to larger oids are taken for nonsense */
  constructor(writer: SalvageWriter, maxOid: Oid) {
    this.#writer = writer
    this.#maxOid = maxOid
  }

  get lost(): LostObject[] {
    return [...this.#lost.values()].sort((a, b) => a.oid - b.oid)
  }

  /** There had been a version of the object at this offset of the damaged journal. */
  versionWasAt(oid: Oid, home: number): void {
    if (this.#writer.homes.get(oid) < home) this.note(oid)
  }

  /** The object is lost, or its newest version is. */
  note(oid: Oid, className?: string): void {
    if (this.#noted.get(oid) === 0) {
      this.#noted.set(oid, 1)
      this.lostCount++
      if (this.#lost.size < MAX_LISTED) this.#lost.set(oid, { oid, className, keptTid: undefined })
      if (oid <= this.#maxOid) this.nextOid = Math.max(this.nextOid, oid + 1)
    } else {
      const draft = this.#lost.get(oid)
      if (draft !== undefined) draft.className ??= className
    }
  }

  /** To be called with each transaction of the new journal, when everything that is known has been noted. */
  examine({ position, image }: ScannedTransaction): void {
    image.forEachRecord((oid, offset) => {
      if (this.#writer.newest.get(oid) !== position + offset) return
      this.objects++
      const record = decode(image.dataAt(offset))
      if (record !== undefined) this.#examineRecord(oid, recordTid(image.view, offset), record)
    })
  }

  #examineRecord(oid: Oid, tid: Tid, { className, references }: DecodedRecord): void {
    const draft = this.#lost.get(oid)
    if (draft !== undefined) Object.assign(draft, { className, keptTid: tid })
    for (const { oid: targetOid, className: targetClassName } of references) {
      if (this.#writer.newest.get(targetOid) !== 0) continue
      this.note(targetOid, targetClassName)
      this.danglingCount++
      if (this.dangling.length < MAX_LISTED) this.dangling.push({ oid, className, targetOid, targetClassName })
    }
  }
}

function decode(data: Uint8Array): DecodedRecord | undefined {
  try {
    return decodeRecord(data)
  } catch (error) {
    if (error instanceof PerdureError) return undefined // Its checksum is right: it was stored like this.
    throw error
  }
}
