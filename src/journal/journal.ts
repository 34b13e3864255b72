import { PerdureError } from '../core/errors.js'
import { CheckpointFile, checkpointPath, checkpointTemporaryPath } from './checkpoint.js'
import { decodeFileHeader, encodeFileHeader, FILE_HEADER_BYTES, type FileHeader } from './format.js'
import type { FileSystem, OpenFile } from './journal-file.js'
import { JournalPages } from './journal-pages.js'
import { OidIndex, PAGE_ENTRIES, reserveIndexMemory } from './oid-index.js'
import { packPath, prepackTemporaryPath } from './packed-base.js'
import {
  beginningOf,
  type CheckpointUse,
  checkpointUse,
  type JournalState,
  type RecoveryReport,
  replay,
  rewrite,
  stateOfCheckpoint,
} from './recovery.js'
import { WatermarkReader } from './watermark.js'

/** A journal that has been opened and brought to its newest safe state. */
export interface OpenJournal {
  readonly file: OpenFile
  /** Up to here the index has pages in the checkpoint. */
  readonly covered: number
  readonly header: FileHeader
  readonly state: JournalState
  readonly index: OidIndex
  readonly report: RecoveryReport
}

/**
 * Makes an empty database. It appears under its name only when it is complete. That the name survives a power cut
 * is up to {@link openForWriting}.
 *
 * @throws PerdureError `PERDURE_NO_SPACE`, `PERDURE_PERMISSION`, `PERDURE_NOT_FOUND`, `PERDURE_IO`
 */
export function createJournal(fileSystem: FileSystem, path: string, serializer: string): void {
  checkSerializerName(serializer)
  const temporary = `${path}.new`
  fileSystem.unlink(temporary)
  const file = fileSystem.open(temporary, 'create')
  try {
    file.write([encodeFileHeader(newFileHeader(serializer))], 0)
    file.sync()
  } finally {
    file.close()
  }
  fileSystem.rename(temporary, path)
}

function newFileHeader(serializer: string): FileHeader {
  const uuid = crypto.getRandomValues(new Uint8Array(16))
  return { uuid, created: Date.now(), serializer, databaseId: uuid, baseTid: 0, historyFrom: 0 }
}

export function checkSerializerName(name: string): void {
  if (/^[a-z0-9._-]{1,31}$/.test(name)) return
  throw new PerdureError(
    'PERDURE_ARGUMENT',
    `"${name}" cannot be the name of a serializer: it takes 1 to 31 characters out of a-z 0-9 - . _`,
  )
}

/** @throws PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_CORRUPTION` */
export function readFileHeader(file: OpenFile): FileHeader {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES)
  const length = file.read(bytes, 0, FILE_HEADER_BYTES, 0)
  return decodeFileHeader(file.path, bytes.subarray(0, length))
}

/**
 * Opens a journal for writing: replays what the checkpoint does not have, cuts off a torn tail, and makes sure
 * that what remains is on the disk.
 *
 * @throws CorruptionError, PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_NO_SPACE`,
 *   `PERDURE_PERMISSION`, `PERDURE_NOT_FOUND`, `PERDURE_IO`
 */
export function openForWriting(fileSystem: FileSystem, path: string, onRebuild: () => void): OpenJournal {
  const file = fileSystem.open(path, 'write')
  try {
    const header = readFileHeader(file)
    // At each opening, because whoever created the file may have been killed, or have failed, before it could.
    fileSystem.syncDirectory(path)
    removePackLeftovers(fileSystem, path)
    const size = file.size()
    const base = chooseBase(fileSystem, file, header)
    const index = makeIndex(fileSystem, file, header, base, onRebuild)
    const durable = Math.max(base.durable, readWatermark(fileSystem, path, header))
    const result = replay({ journal: file, header, from: base.state, durable, limit: size, visit: indexer(index) })
    const { state } = result
    if (result.tornAt !== undefined) file.truncate(state.end)
    rewrite(file, result.durable, state.end)
    // Even if nothing was to be done: what a writer has taken back after a failure must not come back later.
    file.sync()
    const report: RecoveryReport = {
      checkpoint: base.use,
      transactionsReplayed: result.transactions,
      cutAt: result.tornAt,
      cutBytes: result.tornAt === undefined ? 0 : size - result.tornAt,
      bytesRewritten: state.end - result.durable,
    }
    return { file, covered: base.state.end, header, state, index, report }
  } catch (error) {
    file.close()
    throw error
  }
}

/** What a pack leaves that is killed before its new journal takes the place of the old one. */
function removePackLeftovers(fileSystem: FileSystem, path: string): void {
  const packed = packPath(path)
  const checkpoint = checkpointPath(packed)
  const leftovers = [packed, checkpoint, checkpointTemporaryPath(packed), prepackTemporaryPath(path)]
  for (const leftover of leftovers) fileSystem.unlink(leftover)
}

/** Puts the records of a transaction into an index. */
export function indexer(index: OidIndex): Parameters<typeof replay>[0]['visit'] {
  return ({ position, header, image }) => {
    index.grow(header.nextOid)
    image.forEachRecord((oid, offset) => index.set(oid, position + offset))
  }
}

/** From where a replay begins. */
export interface ReplayBase {
  readonly use: CheckpointUse
  readonly state: JournalState
  /** The journal was on the disk up to here. */
  readonly durable: number
  readonly checkpoint: CheckpointFile | undefined
}

/**
 * The checkpoint, if it can be trusted; else the beginning of the journal.
 *
 * @throws CorruptionError if the checkpoint shows that the journal has lost what it had
 */
export function chooseBase(fileSystem: FileSystem, file: OpenFile, header: FileHeader): ReplayBase {
  const checkpoint = CheckpointFile.open(fileSystem, file.path, header.uuid)
  if (typeof checkpoint === 'string') return fromBeginning(header, checkpoint)
  let use: CheckpointUse | undefined
  try {
    use = checkpointUse(file, checkpoint)
  } finally {
    if (use !== 'used') checkpoint.close()
  }
  if (use !== 'used') return fromBeginning(header, use)
  return { use, state: stateOfCheckpoint(checkpoint.header), durable: checkpoint.header.required, checkpoint }
}

function fromBeginning(header: FileHeader, use: CheckpointUse): ReplayBase {
  return { use, state: beginningOf(header), durable: 0, checkpoint: undefined }
}

/** @param onRebuild called when the checkpoint turns out to be of no use after all */
export function makeIndex(
  fileSystem: FileSystem,
  file: OpenFile,
  header: FileHeader,
  base: ReplayBase,
  onRebuild: () => void,
): OidIndex {
  const storedPages = base.checkpoint?.header.pages ?? 0
  const pages = new JournalPages(fileSystem, file, header, base.state.end, onRebuild, base.checkpoint)
  const index = new OidIndex(reserveIndexMemory(storedPages), pages)
  index.grow(Math.max(base.state.nextOid, storedPages * PAGE_ENTRIES))
  return index
}

function readWatermark(fileSystem: FileSystem, path: string, header: FileHeader): number {
  const reader = WatermarkReader.open(fileSystem, path)
  try {
    return reader?.read(header.uuid)?.durable ?? 0
  } finally {
    reader?.close()
  }
}
