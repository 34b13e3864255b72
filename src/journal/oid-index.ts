/// <reference lib="es2024.sharedmemory" />
import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { addressSpaceLeft } from './address-space.js'

/** Entries of the index are loaded and stored by pages of this many. */
export const PAGE_ENTRIES = 1024

const PAGE_BITS = 10
const ENTRY_BYTES = 8
const SEGMENTS = 8

/** Node 20 cannot make a growable shared buffer of more than 4 GiB, which are this many entries. */
const MAX_SEGMENT_BITS = 29
const MIN_SEGMENT_BITS = 16

/** Where addresses are limited, an index takes at most one part in this many of those that are left. */
const SHARE_OF_ADDRESS_SPACE = 8

/** Segments grow by at least this many entries, so that not each new object asks the system for memory. */
const GROWTH_ENTRIES = 64 * PAGE_ENTRIES

/** The memory of one index, as it is handed to other threads. */
export interface OidIndexMemory {
  readonly segmentBits: number
  readonly entries: readonly SharedArrayBuffer[]
  /** One byte for each page of the matching segment: 1 when its entries are there. */
  readonly loaded: readonly SharedArrayBuffer[]
  /** Pages from this one on never were in a checkpoint: their entries are there from the beginning. */
  readonly storedPages: number
}

/** Where entries come from that have not been needed since the storage was opened. */
export interface PageSource {
  /**
   * Reads one page into `target`. False if it cannot be read or is damaged; `rebuild` is then called.
   */
  readPage(page: number, target: BigUint64Array): boolean

  /** Fills every page without {@link readPage}, by calling {@link OidIndex.fill}, and is the last resort. */
  rebuild(index: OidIndex): void

  close(): void
}

/** For an index of which all entries have been set. */
export const NO_PAGES: PageSource = { readPage: () => false, rebuild: () => {}, close: () => {} }

/**
 * Finds the newest version of each object: an array, indexed by oid, of offsets in the journal. It lies in shared
 * memory; one thread sets entries, all read them. An entry is 0 for an object that does not exist.
 *
 * Address space for all segments is reserved at once, and memory is taken only for what is used, so that the array
 * can grow under its readers without any of them noticing.
 */
export class OidIndex {
  readonly memory: OidIndexMemory
  readonly #entries: BigUint64Array[]
  readonly #loaded: Uint8Array[]
  readonly #source: PageSource
  readonly #segmentSize: number
  readonly #page = new BigUint64Array(PAGE_ENTRIES)

  constructor(memory: OidIndexMemory, source: PageSource) {
    this.memory = memory
    this.#entries = memory.entries.map((buffer) => new BigUint64Array(buffer))
    this.#loaded = memory.loaded.map((buffer) => new Uint8Array(buffer))
    this.#source = source
    this.#segmentSize = 2 ** memory.segmentBits
  }

  /** How many oids it has room for. */
  get capacity(): number {
    return this.#segmentSize * this.#entries.length
  }

  /** How many pages there are by now. No object has an oid beyond them. */
  get pages(): number {
    return this.#entries.reduce((count, entries) => count + entries.length, 0) / PAGE_ENTRIES
  }

  /** Offset of the newest version of `oid`, or 0. */
  get(oid: Oid): number {
    const segment = Math.floor(oid / this.#segmentSize)
    const entries = this.#entries[segment]
    const at = oid % this.#segmentSize
    if (entries === undefined || at >= entries.length) return 0
    const offset = Atomics.load(entries, at)
    if (offset !== 0n) return Number(offset)
    if (this.#isLoaded(Math.floor(oid / PAGE_ENTRIES))) {
      // Another thread may have loaded the page after the entry was read.
      return Number(Atomics.load(entries, at))
    }
    this.loadPage(Math.floor(oid / PAGE_ENTRIES))
    return Number(Atomics.load(entries, at))
  }

  /** Sets an entry. Only the one thread that owns the journal may. */
  set(oid: Oid, offset: number): void {
    const entries = this.#entries[Math.floor(oid / this.#segmentSize)] as BigUint64Array
    Atomics.store(entries, oid % this.#segmentSize, BigInt(offset))
  }

  /**
   * Makes room for all oids below `nextOid`. Only the thread that owns the journal may.
   *
   * @throws PerdureError `PERDURE_LIMIT`
   */
  grow(nextOid: Oid): void {
    if (nextOid > this.capacity) {
      throw new PerdureError(
        'PERDURE_LIMIT',
        `The storage has room for ${this.capacity} objects; oid ${nextOid - 1} is beyond.`,
        {
          details: { limit: this.capacity },
        },
      )
    }
    const last = Math.floor(Math.max(0, nextOid - 1) / this.#segmentSize)
    for (let segment = 0; segment <= last; segment++) {
      const wanted = Math.min(this.#segmentSize, nextOid - segment * this.#segmentSize)
      this.#growSegment(segment, wanted)
    }
  }

  #growSegment(segment: number, wanted: number): void {
    const entries = this.#entries[segment] as BigUint64Array
    if (entries.length >= wanted) return
    const doubled = Math.max(wanted, Math.min(entries.length * 2, entries.length + 2 ** 20), GROWTH_ENTRIES)
    const count = Math.min(this.#segmentSize, Math.ceil(doubled / PAGE_ENTRIES) * PAGE_ENTRIES)
    const memory = this.memory
    memory.loaded[segment]?.grow(count / PAGE_ENTRIES)
    memory.entries[segment]?.grow(count * ENTRY_BYTES)
  }

  /** Loads every page that is not there yet. */
  loadAll(): void {
    for (let page = 0; page < this.memory.storedPages; page++) if (!this.#isLoaded(page)) this.loadPage(page)
  }

  /** Brings one page in. Several threads may do so at once. */
  loadPage(page: number): void {
    if (this.#source.readPage(page, this.#page)) this.fill(page, this.#page)
    else this.#source.rebuild(this)
  }

  /** Gives a page its stored entries. What has been set meanwhile is newer and stays. */
  fill(page: number, stored: BigUint64Array): void {
    const first = page * PAGE_ENTRIES
    const entries = this.#entries[Math.floor(first / this.#segmentSize)] as BigUint64Array
    const at = first % this.#segmentSize
    for (let i = 0; i < PAGE_ENTRIES; i++) {
      const offset = stored[i] as bigint
      if (offset !== 0n) Atomics.compareExchange(entries, at + i, 0n, offset)
    }
    this.#markLoaded(page)
  }

  /** Copies the newest entries of a page, for a checkpoint. A page nobody has needed is not kept in memory for it. */
  copyPage(page: number, target: BigUint64Array): void {
    if (this.#isLoaded(page)) target.fill(0n)
    else if (!this.#source.readPage(page, target)) {
      this.#source.rebuild(this)
      target.fill(0n)
    }
    const first = page * PAGE_ENTRIES
    const entries = this.#entries[Math.floor(first / this.#segmentSize)] as BigUint64Array
    const at = first % this.#segmentSize
    for (let i = 0; i < PAGE_ENTRIES; i++) {
      const offset = Atomics.load(entries, at + i)
      if (offset !== 0n) target[i] = offset
    }
  }

  /** Closes what its pages come from. */
  close(): void {
    this.#source.close()
  }

  #isLoaded(page: number): boolean {
    if (page >= this.memory.storedPages) return true
    const first = page * PAGE_ENTRIES
    const loaded = this.#loaded[Math.floor(first / this.#segmentSize)] as Uint8Array
    return Atomics.load(loaded, (first % this.#segmentSize) >>> PAGE_BITS) === 1
  }

  #markLoaded(page: number): void {
    const first = page * PAGE_ENTRIES
    const loaded = this.#loaded[Math.floor(first / this.#segmentSize)] as Uint8Array
    Atomics.store(loaded, (first % this.#segmentSize) >>> PAGE_BITS, 1)
  }
}

/**
 * Reserves the address space of an index.
 *
 * @param storedPages how many pages the checkpoint has
 */
export function reserveIndexMemory(storedPages: number): OidIndexMemory {
  for (let bits = largestSegmentBits(); ; bits--) {
    try {
      return reserve(bits, storedPages)
    } catch (error) {
      if (bits > MIN_SEGMENT_BITS && error instanceof RangeError) continue
      throw new PerdureError('PERDURE_LIMIT', 'Not enough address space for the oid index. Raise `ulimit -v`.', {
        cause: error,
      })
    }
  }
}

/** Under `ulimit -v` there may be less address space than objects could ever need; most of it is left to threads and the heap. */
function largestSegmentBits(): number {
  const left = addressSpaceLeft()
  if (left === undefined) return MAX_SEGMENT_BITS
  const entries = Math.max(1, left / SHARE_OF_ADDRESS_SPACE / (SEGMENTS * ENTRY_BYTES))
  return Math.min(MAX_SEGMENT_BITS, Math.max(MIN_SEGMENT_BITS, Math.floor(Math.log2(entries))))
}

function reserve(segmentBits: number, storedPages: number): OidIndexMemory {
  const entries: SharedArrayBuffer[] = []
  const loaded: SharedArrayBuffer[] = []
  for (let i = 0; i < SEGMENTS; i++) {
    entries.push(new SharedArrayBuffer(0, { maxByteLength: 2 ** segmentBits * ENTRY_BYTES }))
    loaded.push(new SharedArrayBuffer(0, { maxByteLength: 2 ** (segmentBits - PAGE_BITS) }))
  }
  return { segmentBits, entries, loaded, storedPages }
}
