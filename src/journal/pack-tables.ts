import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'

/** The memory of {@link PackTables}, as it is handed to the threads of a pool. */
export interface PackMemory {
  /** Oids from this one on are not looked at. */
  readonly oids: Oid
  readonly positions: SharedArrayBuffer
  readonly lengths: SharedArrayBuffer
  readonly places: SharedArrayBuffer
  readonly marks: SharedArrayBuffer
  readonly order: SharedArrayBuffer
  readonly references: SharedArrayBuffer
  readonly control: SharedArrayBuffer
}

/** What {@link PackTables.positions} has for an object that did not exist yet at the pack's transaction. */
export const ABSENT = -1

/** What {@link PackTables.places} has for a record whose references must be read from the journal. */
export const UNREAD = 2 ** 32 - 1

/** What {@link PackTables.marks} has for an object that is to be kept whether or not the root leads to it. */
export const ROOT = 1

/** What {@link PackTables.marks} has for an object that has been found and stands in the order. */
export const FOUND = 2

const CANCELLED = 0
const FOUND_OBJECTS = 1
const FREE_SLOT = 2
const CONTROL_SLOTS = 3

/** References are at most this many, so that a place fits 32 bits with room to spare; the rest is read from the journal. */
const MAX_SLOTS = 2 ** 30

/** What the tables take for each oid, without the references. The system gives memory only where there are objects. */
export const BYTES_PER_OBJECT = 8 + 4 + 4 + 1 + 4

/**
 * What a pack knows of each object: arrays indexed by oid, in shared memory, so that many threads can fill them. They
 * are about the object's version as of one transaction. Within one step of a pack no two threads write to the same
 * entry, and a step ends before the next one begins; so nothing here needs Atomics but what is counted.
 */
export class PackTables {
  readonly memory: PackMemory
  readonly oids: Oid
  /** Offset in the journal of the version; 0 if it is not known (yet), or {@link ABSENT}. */
  readonly positions: Float64Array
  /** Bytes of data of the record at that offset; 0 until it has been read. No record is that short. */
  readonly lengths: Uint32Array
  /** Where its references are in {@link references}, or {@link UNREAD}. Slot 0 is the list of those that have none. */
  readonly places: Uint32Array
  readonly marks: Uint8Array
  /** The oids of all objects that are to be kept, in the order in which they are to be stored. */
  readonly order: Uint32Array
  /** Lists, each of them a count and as many oids. */
  readonly references: Uint32Array
  readonly #control: Int32Array

  constructor(memory: PackMemory) {
    this.memory = memory
    this.oids = memory.oids
    this.positions = new Float64Array(memory.positions)
    this.lengths = new Uint32Array(memory.lengths)
    this.places = new Uint32Array(memory.places)
    this.marks = new Uint8Array(memory.marks)
    this.order = new Uint32Array(memory.order)
    this.references = new Uint32Array(memory.references)
    this.#control = new Int32Array(memory.control)
  }

  /** Tells work under way in some thread that nobody wants its result. */
  cancel(): void {
    Atomics.store(this.#control, CANCELLED, 1)
  }

  get isCancelled(): boolean {
    return Atomics.load(this.#control, CANCELLED) === 1
  }

  /** How many objects have been found so far that are to be kept. */
  get found(): number {
    return Atomics.load(this.#control, FOUND_OBJECTS)
  }

  set found(count: number) {
    Atomics.store(this.#control, FOUND_OBJECTS, count)
  }

  /** Takes slots of {@link references}. Returns the first, or undefined if there are not as many left. */
  takeSlots(count: number): number | undefined {
    if (Atomics.load(this.#control, FREE_SLOT) + count > this.references.length) return undefined
    const first = Atomics.add(this.#control, FREE_SLOT, count)
    return first + count <= this.references.length ? first : undefined
  }
}

/**
 * @param oids oids from this one on are not looked at
 * @param referenceBytes memory for references; what does not fit is read from the journal, once more and more slowly
 * @throws PerdureError `PERDURE_LIMIT` if there is not enough memory
 */
export function reservePackTables(oids: Oid, referenceBytes: number): PackTables {
  const slots = Math.max(1, Math.min(MAX_SLOTS, Math.floor(referenceBytes / 4)))
  try {
    const tables = new PackTables(reserve(oids, slots))
    tables.takeSlots(1)
    return tables
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new PerdureError(
      'PERDURE_LIMIT',
      `Not enough memory for the tables of a pack: ${oids * BYTES_PER_OBJECT} bytes for objects, ${slots * 4} for references. Give less with { memoryBytes }, or raise \`ulimit -v\`.`,
      { details: { bytes: oids * BYTES_PER_OBJECT + slots * 4 }, cause },
    )
  }
}

function reserve(oids: Oid, slots: number): PackMemory {
  return {
    oids,
    positions: new SharedArrayBuffer(oids * 8),
    lengths: new SharedArrayBuffer(oids * 4),
    places: new SharedArrayBuffer(oids * 4),
    marks: new SharedArrayBuffer(oids),
    order: new SharedArrayBuffer(oids * 4),
    references: new SharedArrayBuffer(slots * 4),
    control: new SharedArrayBuffer(CONTROL_SLOTS * 4),
  }
}
