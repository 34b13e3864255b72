import type { Oid, Tid } from '../../src/core/oid.js'
import { recordReferences } from '../../src/core/record.js'
import {
  checksumSeed,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  recordTid,
  stampRecord,
  stampTransaction,
  viewOf,
} from '../../src/journal/format.js'
import { readFileHeader } from '../../src/journal/journal.js'
import type { FileSystem, OpenFile } from '../../src/journal/journal-file.js'
import { NO_PAGES, OidIndex, reserveIndexMemory } from '../../src/journal/oid-index.js'
import { type PackedBase, packPath } from '../../src/journal/packed-base.js'
import { beginningOf, countNewObjects, type JournalState } from '../../src/journal/recovery.js'
import { JournalScanner, type ScannedTransaction } from '../../src/journal/scanner.js'
import { layOutTransaction, TransactionImage } from '../../src/journal/transaction.js'

interface Version {
  readonly oid: Oid
  readonly tid: Tid
  readonly data: Uint8Array
}

export interface ReferenceBase {
  readonly base: PackedBase
  readonly removed: readonly Oid[]
}

/**
 * Makes the base of a packed journal in the plainest way: everything in memory, one thing after another.
 *
 * @param historyFrom a transaction that is in the journal
 * @param transactions how many the base is to have, if there are as many objects and tids
 */
export function makeReferenceBase(
  fileSystem: FileSystem,
  path: string,
  historyFrom: Tid,
  transactions = 1,
): ReferenceBase {
  const old = fileSystem.open(path, 'read')
  try {
    const { versions, last, end, serializer, databaseId } = versionsAsOf(old, historyFrom)
    const kept = reachable(versions)
    const count = Math.min(historyFrom, Math.max(1, Math.min(transactions, kept.length)))
    const uuid = crypto.getRandomValues(new Uint8Array(16))
    const baseTid = historyFrom - count
    const header = { uuid, created: Date.now(), serializer, databaseId, baseTid, historyFrom }
    const index = new OidIndex(reserveIndexMemory(0), NO_PAGES)
    index.grow(last?.nextOid ?? 0)
    fileSystem.unlink(packPath(path))
    const file = fileSystem.open(packPath(path), 'create')
    let state = beginningOf(header)
    try {
      file.write([encodeFileHeader(header)], 0)
      const size = Math.ceil(kept.length / Math.max(1, count))
      for (let i = 0; i < count; i++) {
        const some = kept.slice(i * size, (i + 1) * size)
        state = writeBase(file, state, some, { ...last, seed: checksumSeed(uuid) }, index)
      }
    } finally {
      file.close()
    }
    const keptOids = new Set(kept.map(({ oid }) => oid))
    const removed = [...versions.keys()].filter((oid) => !keptOids.has(oid))
    return { base: { path: packPath(path), header, index: index.memory, state, sourceEnd: end }, removed }
  } finally {
    old.close()
  }
}

function versionsAsOf(file: OpenFile, upTo: Tid) {
  const header = readFileHeader(file)
  const scanner = new JournalScanner(file, checksumSeed(header.uuid), FILE_HEADER_BYTES, file.size())
  const versions = new Map<Oid, Version>()
  let last: { readonly time: number; readonly nextOid: Oid } | undefined
  let tid = header.baseTid
  let end = FILE_HEADER_BYTES
  while (tid < upTo) {
    const transaction = scanner.next()
    if (transaction === undefined) throw new Error(`The journal ends with transaction ${tid}.`)
    take(transaction, versions)
    last = transaction.header
    tid = transaction.header.tid
    end = transaction.end
  }
  if (tid > upTo) throw new Error(`The journal begins behind transaction ${upTo}.`)
  return { ...header, versions, last, end }
}

function take({ image }: ScannedTransaction, versions: Map<Oid, Version>): void {
  image.forEachRecord((oid, offset) => {
    versions.set(oid, { oid, tid: recordTid(image.view, offset), data: Uint8Array.from(image.dataAt(offset)) })
  })
}

function reachable(versions: ReadonlyMap<Oid, Version>): Version[] {
  const found = new Map<Oid, Version>()
  const queue: Oid[] = [0]
  for (let oid = queue.shift(); oid !== undefined; oid = queue.shift()) {
    const version = versions.get(oid)
    if (version === undefined || found.has(oid)) continue
    found.set(oid, version)
    queue.push(...recordReferences(version.data))
  }
  return [...found.values()]
}

function writeBase(
  file: OpenFile,
  before: JournalState,
  versions: readonly Version[],
  { time = 0, nextOid = 0, seed }: { time?: number; nextOid?: Oid; seed: number },
  index: OidIndex,
): JournalState {
  const bytes = layOutTransaction(versions)
  const image = new TransactionImage(bytes)
  const position = before.end
  let i = 0
  image.forEachRecord((oid, offset) => {
    stampRecord(bytes, image.view, offset, (versions[i++] as Version).tid, 0)
    index.set(oid, position + offset)
  })
  const tid = before.tid + 1
  stampTransaction(bytes, viewOf(bytes), { position, tid, time, durable: position, nextOid, seed })
  file.write([bytes], position)
  const objects = before.objects + countNewObjects(image)
  return { end: position + bytes.length, tid, time, nextOid, objects, checksum: image.summary().checksum }
}
