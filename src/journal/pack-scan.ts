import { PerdureError } from '../core/errors.js'
import type { Oid } from '../core/oid.js'
import { ReferenceList } from '../core/record.js'
import { RECORD_HEADER_BYTES, recordOid, recordPrevious, viewOf } from './format.js'
import type { OpenFile } from './journal-file.js'
import { type OidIndex, PAGE_ENTRIES } from './oid-index.js'
import { ABSENT, type PackTables, ROOT, UNREAD } from './pack-tables.js'
import type { RecordWalker } from './record-walker.js'
import { ReferenceWriter } from './reference-writer.js'

/*
 * How a pack finds the version of each object as of transaction R, which ends at `boundary`, and what it refers to.
 * Three steps, each over ranges that can be worked on at the same time:
 *
 * 1. The transactions after R. The first of them to write an object names, as its previous version, the one as of R.
 *    What they write or refer to is to be kept.
 * 2. The index. Objects that were not written after R have their version as of R in it.
 * 3. The transactions up to R. Of the records that the first two steps have named, the references are taken down.
 */

/** Step 1, for the transactions that begin between `from` and `to`. */
export function scanLater(walker: RecordWalker, tables: PackTables, from: number, to: number, boundary: number): void {
  const { positions, marks, oids } = tables
  const list = new ReferenceList()
  walker.walk(from, to, (oid, offset, length) => {
    if (oid < oids) {
      marks[oid] = ROOT
      const previous = recordPrevious(walker.view, walker.start)
      // Among all later versions of an object only the oldest one names one that is not later.
      if (previous < boundary) positions[oid] = previous === 0 ? ABSENT : previous
    }
    if (!walker.load(offset, length)) return
    const data = walker.start + RECORD_HEADER_BYTES
    if (!readReferences(list, walker.bytes, data, length)) return
    for (let i = 0; i < list.count; i++) {
      const target = list.oids[i] as Oid
      if (target < oids) marks[target] = ROOT
    }
  })
}

/** Step 2, for the oids of some pages of the index. */
export function takePositions(
  index: OidIndex,
  file: OpenFile,
  tables: PackTables,
  { from, to, boundary }: { readonly from: number; readonly to: number; readonly boundary: number },
): void {
  const { positions, oids } = tables
  const entries = new BigUint64Array(PAGE_ENTRIES)
  for (let page = from; page < to; page++) {
    index.copyPage(page, entries)
    const first = page * PAGE_ENTRIES
    const count = Math.min(PAGE_ENTRIES, oids - first)
    for (let i = 0; i < count; i++) {
      const entry = entries[i] as bigint
      if (entry === 0n || positions[first + i] !== 0) continue
      const offset = Number(entry)
      positions[first + i] = offset < boundary ? offset : versionBefore(file, first + i, offset, boundary)
    }
  }
}

/** For the few objects that were written since step 1: goes from version to version, back to the one before `boundary`. */
function versionBefore(file: OpenFile, oid: Oid, offset: number, boundary: number): number {
  const header = Buffer.alloc(RECORD_HEADER_BYTES)
  const view = viewOf(header)
  let at = offset
  while (at >= boundary) {
    const isIts = file.read(header, 0, header.length, at) === header.length && recordOid(view, 0) === oid
    const previous = isIts ? recordPrevious(view, 0) : at
    // A position where there is no record of the object is noticed if the object is to be kept.
    if (previous >= at) return at
    at = previous
  }
  return at === 0 ? ABSENT : at
}

/** What {@link scanRecords} has found. */
export interface ScannedRecords {
  readonly objects: number
  /** Of their records, headers included. */
  readonly bytes: number
}

/** Step 3, for the transactions that begin between `from` and `to`. */
export function scanRecords(walker: RecordWalker, tables: PackTables, from: number, to: number): ScannedRecords {
  const { positions, lengths, places } = tables
  const list = new ReferenceList()
  const writer = new ReferenceWriter(tables)
  let objects = 0
  let bytes = 0
  walker.walk(from, to, (oid, offset, length) => {
    if (positions[oid] !== offset || length === 0 || !walker.load(offset, length)) return
    objects++
    bytes += RECORD_HEADER_BYTES + length
    lengths[oid] = length
    const data = walker.start + RECORD_HEADER_BYTES
    // One that makes no sense is looked at more closely if it is to be kept.
    places[oid] = readReferences(list, walker.bytes, data, length) ? writer.add(list.oids, list.count) : UNREAD
  })
  return { objects, bytes }
}

function readReferences(list: ReferenceList, bytes: Uint8Array, data: number, length: number): boolean {
  try {
    list.read(bytes, data, data + length)
    return true
  } catch (error) {
    if (error instanceof PerdureError && error.code === 'PERDURE_DECODE') return false
    throw error
  }
}
