import { deflateSync } from 'node:zlib'
import { int4, int8 } from './durus-client.js'

/*
 * Writes Durus's file formats, after the classes Shelf and FileStorage2 of Durus 4. It shares nothing with the reader.
 */

export interface FileObject {
  readonly oid: number | bigint
  readonly data: Uint8Array
  readonly references?: readonly (number | bigint)[]
}

/** A file, and where the last of its transactions begins. */
export interface DurusFile {
  readonly bytes: Buffer
  readonly lastTransaction: number
}

/** The record itself, which is the same everywhere. */
export function fileRecord({ oid, data, references = [] }: FileObject): Buffer {
  return Buffer.concat([int8(oid), int4(data.length), data, ...references.map(int8)])
}

/** One record as a shelf has it: a name, which is the oid, and a value. */
function shelfRecord(object: FileObject): Buffer {
  const record = fileRecord(object)
  return Buffer.concat([int8(8 + record.length), int8(object.oid), record])
}

export function shelfTransaction(objects: readonly FileObject[]): Buffer {
  const records = Buffer.concat(objects.map(shelfRecord))
  return Buffer.concat([int8(records.length), records])
}

/**
 * A file of FileStorage. Durus makes new ones with no objects before the offset map, and packed ones with all.
 *
 * @param packed what stands before the offset map, with oids that are not too large for one
 */
export function shelfFile(packed: readonly FileObject[], transactions: readonly (readonly FileObject[])[]): DurusFile {
  const first = shelfTransaction(packed)
  const parts = [Buffer.from('SHELF-1\n'), first]
  let at = 16
  const places = new Map<number, number>()
  for (const object of packed) {
    places.set(Number(object.oid), at)
    at += shelfRecord(object).length
  }
  parts.push(offsetMap(at, places))
  return { bytes: Buffer.concat([...parts, ...transactions.map(shelfTransaction)]), ...last(parts, transactions) }
}

function last(parts: readonly Buffer[], transactions: readonly (readonly FileObject[])[]) {
  const before = [...parts, ...transactions.slice(0, -1).map(shelfTransaction)]
  return { lastTransaction: Buffer.concat(before).length }
}

/** Holes are linked to a ring: each holds the place of the next one in the map, counted from where the map begins. */
function offsetMap(start: number, places: ReadonlyMap<number, number>): Buffer {
  const entries = places.size === 0 ? 0 : Math.max(...places.keys()) + 2
  const largest = int8(start + entries + 1)
  const width = places.size === 0 ? 1 : 8 - largest.findIndex((byte) => byte !== 0)
  const words: Buffer[] = []
  let hole = entries - 1
  for (let oid = 0; oid < entries; oid++) {
    const place = places.get(oid)
    words.push(int8(place ?? start + hole).subarray(8 - width))
    if (place === undefined) hole = oid
  }
  return Buffer.concat([int8(16 + width * entries), int8(width), int8(entries), ...words])
}

export function dfs20Transaction(objects: readonly FileObject[]): Buffer {
  const records = objects.map(fileRecord).flatMap((record) => [int4(record.length), record])
  return Buffer.concat([...records, int4(0)])
}

/**
 * A file of FileStorage2. Durus makes new ones with nothing before the index, and packed ones with one transaction.
 *
 * @param index what is compressed as the index
 */
export function dfs20File(
  before: readonly (readonly FileObject[])[],
  after: readonly (readonly FileObject[])[],
  index: Buffer = Buffer.from('\x80\x02}q\x00.', 'latin1'),
): DurusFile {
  const compressed = deflateSync(index)
  const packed = Buffer.concat(before.map(dfs20Transaction))
  const base = [Buffer.from('DFS20\0'), int8(14 + packed.length), packed, int8(compressed.length), compressed]
  const complete = [...base, ...after.slice(0, -1).map(dfs20Transaction)]
  return {
    bytes: Buffer.concat([...base, ...after.map(dfs20Transaction)]),
    lastTransaction: Buffer.concat(complete).length,
  }
}
