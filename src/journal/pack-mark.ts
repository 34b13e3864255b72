import type { Oid } from '../core/oid.js'
import { ROOT_OID } from '../core/oid.js'
import { RECORD_HEADER_BYTES } from './format.js'
import type { OpenFile } from './journal-file.js'
import { damagedRecord } from './kept-record.js'
import { FOUND, type PackTables, ROOT, UNREAD } from './pack-tables.js'
import { UnreadReferences } from './unread-references.js'

/** Objects are looked at in steps of at most so many, and so many bytes of records. */
const STEP_OBJECTS = 4096
const STEP_BYTES = 16 * 1024 * 1024

/** What is to be kept. */
export interface Marked {
  readonly objects: number
  /** Of their records, headers included. */
  readonly bytes: number
}

/**
 * Finds all objects that are to be kept, and puts them in order: breadth-first from the root, then from each of the
 * other roots, so that a traversal of the new journal mostly reads forward.
 *
 * @returns undefined if it was cancelled
 * @throws CorruptionError if the version of an object that is to be kept is not where it should be
 */
export function markKept(tables: PackTables, journal: OpenFile): Marked | undefined {
  return new Marker(tables, journal).run()
}

class Marker {
  readonly #tables: PackTables
  readonly #path: string
  readonly #unread: UnreadReferences
  /** How many stand in the order, and how many of these have been followed. */
  #found = 0
  #followed = 0
  #nextLook = 0
  #bytes = 0

  constructor(tables: PackTables, journal: OpenFile) {
    this.#tables = tables
    this.#path = journal.path
    this.#unread = new UnreadReferences(tables, journal)
  }

  run(): Marked | undefined {
    const { marks, oids } = this.#tables
    if (oids > ROOT_OID) this.#find(ROOT_OID)
    if (!this.#follow()) return undefined
    for (let oid = 0; oid < oids; oid++) {
      if (marks[oid] !== ROOT) continue
      this.#find(oid)
      if (!this.#follow()) return undefined
    }
    this.#tables.found = this.#found
    return { objects: this.#found, bytes: this.#bytes }
  }

  #find(oid: Oid): void {
    const { marks, positions, lengths, order } = this.#tables
    if (marks[oid] === FOUND) return
    marks[oid] = FOUND
    const position = positions[oid] as number
    // A reference may dangle, and a later transaction may have made the object.
    if (position <= 0) return
    const length = lengths[oid] as number
    if (length === 0) throw damagedRecord(this.#path, position, oid)
    this.#bytes += RECORD_HEADER_BYTES + length
    order[this.#found++] = oid
  }

  /** Finds all that can be reached from what has been found. False if it was cancelled. */
  #follow(): boolean {
    const { order, places, references } = this.#tables
    while (this.#followed < this.#found) {
      if (this.#followed >= this.#nextLook && !this.#look()) return false
      const end = this.#endOfStep()
      for (; this.#followed < end; this.#followed++) {
        const oid = order[this.#followed] as Oid
        const place = places[oid] as number
        if (place === UNREAD) {
          for (const target of this.#unread.of(oid)) this.#find(target)
        } else {
          const last = place + (references[place] as number)
          for (let i = place + 1; i <= last; i++) this.#find(references[i] as Oid)
        }
      }
    }
    return true
  }

  /** Tells how far it has come, and looks whether it was cancelled. */
  #look(): boolean {
    this.#nextLook = this.#followed + STEP_OBJECTS
    this.#tables.found = this.#found
    return !this.#tables.isCancelled
  }

  /** In a list, where each object leads to the next one, a step is one object: it must not cost much. */
  #endOfStep(): number {
    const { order, lengths, places } = this.#tables
    const limit = Math.min(this.#found, this.#followed + STEP_OBJECTS)
    let bytes = 0
    let end = this.#followed
    let areRead = true
    while (end < limit && bytes < STEP_BYTES) {
      const oid = order[end++] as Oid
      bytes += lengths[oid] as number
      if (places[oid] === UNREAD) areRead = false
    }
    if (!areRead) this.#unread.read(this.#followed, end)
    return end
  }
}
