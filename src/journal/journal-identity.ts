import { crc32 } from 'node:zlib'
import { CorruptionError, PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import { checkpointPath } from './checkpoint.js'
import { crcSeed } from './crc-seed.js'
import {
  checksumSeed,
  decodeFileHeader,
  FILE_HEADER_BYTES,
  type FileHeader,
  MAX_TRANSACTION_BYTES,
  MIN_TRANSACTION_BYTES,
  readId,
  seemsTransaction,
  TRANSACTION_HEADER_BYTES,
  transactionChecksum,
  viewOf,
} from './format.js'
import type { FileSystem, OpenFile } from './journal-file.js'
import { ReadWindow } from './read-window.js'

/** How far to look for a transaction that tells what a damaged file header does not. */
const SEARCH_BYTES = 2 * MAX_TRANSACTION_BYTES

/** What is known of a journal whose file header may be damaged. */
export interface JournalIdentity {
  /** With which the checksums of its transaction headers begin. */
  readonly seed: number
  /** Undefined if it is lost; the sidecar files then cannot be used. */
  readonly uuid: Uint8Array | undefined
  /** As the file header has it; not to be relied on unless `headerIntact`. */
  readonly serializer: string
  /** Milliseconds since 1970; 0 if lost. */
  readonly created: number
  /** Undefined if it is lost. */
  readonly databaseId: Uint8Array | undefined
  /** The journal's first transaction has the tid after this one. If that is lost, what the first whole one allows. */
  readonly baseTid: Tid
  /** Undefined if it is lost. */
  readonly historyFrom: Tid | undefined
  readonly headerIntact: boolean
}

/**
 * Finds out what is needed to read a journal. If the file header is damaged, the first whole transaction gives the
 * seed: its checksum is known, so it can be computed backwards.
 *
 * @throws PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`; CorruptionError if the header is damaged
 *   and not one transaction is left
 */
export function identifyJournal(fileSystem: FileSystem, file: OpenFile): JournalIdentity {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES)
  const head = bytes.subarray(0, file.read(bytes, 0, FILE_HEADER_BYTES, 0))
  let damage: unknown
  try {
    return fromHeader(decodeFileHeader(file.path, head))
  } catch (error) {
    if (!isDamage(error, bytes)) throw error
    damage = error
  }
  const first = findFirst(file)
  if (first === undefined) {
    if (!(damage instanceof CorruptionError)) throw damage
    throw new CorruptionError(file.path, 0, 'neither the file header nor a single transaction is intact.')
  }
  const { seed } = first
  const uuid = [bytes.subarray(16, 32), checkpointUuid(fileSystem, file.path)].find(
    (candidate) => candidate !== undefined && checksumSeed(candidate) === seed,
  )
  const length = Math.min(31, bytes[40] as number)
  return {
    seed,
    uuid: uuid === undefined ? undefined : Uint8Array.from(uuid),
    serializer: bytes.toString('latin1', 41, 41 + length),
    created: 0,
    databaseId: undefined,
    baseTid: likelyBase(first),
    historyFrom: undefined,
    headerIntact: false,
  }
}

function fromHeader(header: FileHeader): JournalIdentity {
  return { ...header, seed: checksumSeed(header.uuid), headerIntact: true }
}

/**
 * A journal begins with transaction 1, unless a pack has made it. That it has is told by a first transaction that
 * stands at the very beginning, or before which there is no room for all the others.
 */
function likelyBase({ position, tid }: FirstTransaction): Tid {
  if (position === FILE_HEADER_BYTES) return tid - 1
  return (position - FILE_HEADER_BYTES) / MIN_TRANSACTION_BYTES >= tid - 1 ? 0 : tid - 2
}

/** A newer version of the format is no damage, if the checksum says that it is meant. */
function isDamage(error: unknown, header: Buffer): boolean {
  if (!(error instanceof PerdureError)) return false
  return error.code !== 'PERDURE_FORMAT_VERSION' || crc32(header.subarray(0, 124)) !== header.readUInt32LE(124)
}

interface FirstTransaction {
  readonly seed: number
  readonly position: number
  readonly tid: Tid
}

/** The first whole transaction that says that it stands where it does, and the seed that its checksum was begun with. */
function findFirst(file: OpenFile): FirstTransaction | undefined {
  const size = file.size()
  const window = new ReadWindow(file, size)
  const end = Math.min(size, SEARCH_BYTES)
  for (let at = FILE_HEADER_BYTES; at + MIN_TRANSACTION_BYTES <= end; at += 8) {
    const view = viewOf(window.ahead(at, TRANSACTION_HEADER_BYTES))
    if (!seemsTransaction(view, at)) continue
    const length = readId(view, 8)
    const possible = length >= MIN_TRANSACTION_BYTES && length <= MAX_TRANSACTION_BYTES && at + length <= size
    if (!possible) continue
    const bytes = window.bytes(at, length)
    if (transactionChecksum(bytes) === undefined) continue
    const whole = viewOf(bytes)
    const seed = crcSeed(bytes.subarray(8, TRANSACTION_HEADER_BYTES), whole.getUint32(4, true))
    return { seed, position: at, tid: readId(whole, 16) }
  }
  return undefined
}

function checkpointUuid(fileSystem: FileSystem, path: string): Uint8Array | undefined {
  const sidecar = checkpointPath(path)
  if (!fileSystem.exists(sidecar)) return undefined
  const file = fileSystem.open(sidecar, 'read')
  try {
    const bytes = Buffer.alloc(32)
    return file.read(bytes, 0, 32, 0) === 32 ? bytes.subarray(16) : undefined
  } finally {
    file.close()
  }
}
