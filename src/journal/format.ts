import { crc32 } from 'node:zlib'
import { CorruptionError, PerdureError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'

/*
 * The bytes of the journal. docs/file-format.md has the tables and the reasons.
 *
 *   journal     := file-header transaction* preallocated-zeros?
 *   transaction := header note user token record* padding trailer   starts and ends at a multiple of 8
 *   record      := crc length oid tid previous data
 *
 * Numbers are little-endian, as is every machine this usually runs on, so that arrays of them need no conversion.
 */

export const FORMAT_VERSION = 1

/** What can be stored at most, in bytes. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024
export const MAX_TRANSACTION_BYTES = 1024 * 1024 * 1024
export const MAX_NOTE_BYTES = 65_535
export const MAX_USER_BYTES = 255

/** A transaction has a token of this length, or none. */
export const TOKEN_BYTES = 16

export const FILE_HEADER_BYTES = 128
export const TRANSACTION_HEADER_BYTES = 64
export const RECORD_HEADER_BYTES = 32
export const TRAILER_BYTES = 16

/** No transaction is shorter. */
export const MIN_TRANSACTION_BYTES = TRANSACTION_HEADER_BYTES + TRAILER_BYTES

/** As in PNG, the first byte is no ASCII, and the line ends show whether the file went through a text conversion. */
export const FILE_MAGIC = Buffer.from('\x89PERD\r\n\x1a', 'latin1')

/** "TXN1" */
export const TRANSACTION_MAGIC = 0x314e5854

const TWO_32 = 2 ** 32

export function readId(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32
}

export function writeId(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % TWO_32, true)
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true)
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function roundUp8(size: number): number {
  return Math.ceil(size / 8) * 8
}

/** What a user can do about damage. */
export const RESTORE_OR_REPAIR = 'Restore a backup; repairFile() salvages what is good.'

export interface FileHeader {
  /** 16 random bytes. They tie the sidecar files to this journal. */
  readonly uuid: Uint8Array
  /** Milliseconds since 1970. */
  readonly created: number
  /** Name of the serializer that made the states. */
  readonly serializer: string
  /** 16 bytes that stay the same when the database gets a new journal. */
  readonly databaseId: Uint8Array
  /** The journal's first transaction has the tid after this one. */
  readonly baseTid: Tid
  /**
   * The oldest transaction as of which the journal can be read. Those before it, if there are any, hold what was
   * there by then: their records keep the tids of the transactions that had written them.
   */
  readonly historyFrom: Tid
}

export function encodeFileHeader(header: FileHeader): Buffer {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES)
  const view = viewOf(bytes)
  FILE_MAGIC.copy(bytes, 0)
  view.setUint16(8, FORMAT_VERSION, true)
  view.setUint16(10, FILE_HEADER_BYTES, true)
  bytes.set(header.uuid, 16)
  writeId(view, 32, header.created)
  bytes[40] = header.serializer.length
  bytes.write(header.serializer, 41, 31, 'latin1')
  bytes.set(header.databaseId, 72)
  writeId(view, 88, header.baseTid)
  writeId(view, 96, header.historyFrom)
  view.setUint32(124, crc32(bytes.subarray(0, 124)), true)
  return bytes
}

/**
 * @param bytes the first bytes of the file, at least {@link FILE_HEADER_BYTES} if it has as many
 * @throws PerdureError `PERDURE_NOT_A_DATABASE`, `PERDURE_FORMAT_VERSION`, `PERDURE_CORRUPTION`
 */
export function decodeFileHeader(path: string, bytes: Buffer): FileHeader {
  if (!bytes.subarray(0, 8).equals(FILE_MAGIC)) {
    const start = bytes.length === 0 ? 'it is empty' : `it begins with ${bytes.subarray(0, 8).toString('hex')}`
    throw new PerdureError('PERDURE_NOT_A_DATABASE', `${path} is not a Perdure database: ${start}.`, {
      details: { path },
    })
  }
  if (bytes.length < FILE_HEADER_BYTES) throw new CorruptionError(path, bytes.length, 'the file header is cut off.')
  const view = viewOf(bytes)
  const version = view.getUint16(8, true)
  if (version > FORMAT_VERSION) {
    throw new PerdureError(
      'PERDURE_FORMAT_VERSION',
      `${path} has format version ${version}; this release reads up to ${FORMAT_VERSION}. Use a newer release.`,
      { details: { path, version } },
    )
  }
  if (crc32(bytes.subarray(0, 124)) !== view.getUint32(124, true)) {
    throw new CorruptionError(path, 0, `the checksum of the file header is wrong. ${RESTORE_OR_REPAIR}`)
  }
  return {
    uuid: Uint8Array.from(bytes.subarray(16, 32)),
    created: readId(view, 32),
    serializer: bytes.toString('latin1', 41, 41 + (bytes[40] as number)),
    databaseId: readDatabaseId(bytes),
    baseTid: readId(view, 88),
    historyFrom: readId(view, 96),
  }
}

/** Journals that were made before there was this field have zeros in it. */
function readDatabaseId(bytes: Buffer): Uint8Array {
  const id = bytes.subarray(72, 88)
  return Uint8Array.from(id.every((byte) => byte === 0) ? bytes.subarray(16, 32) : id)
}

/**
 * Checksums of transaction headers begin with this number instead of 0. So a transaction of another database
 * that lies in this one, say as the content of a record, is never taken for one of its own.
 */
export function checksumSeed(uuid: Uint8Array): number {
  return crc32(uuid)
}

export interface TransactionHeader {
  /** Bytes from the header to the trailer, both included. */
  readonly length: number
  readonly tid: Tid
  /** Milliseconds since 1970; never less than in the transaction before. */
  readonly time: number
  /** The journal was known to be on the disk up to this offset when the transaction was written. */
  readonly durable: number
  /** No oid from this one on has been used by this transaction or an earlier one. */
  readonly nextOid: Oid
  readonly recordCount: number
  readonly noteLength: number
  readonly userLength: number
  /** {@link TOKEN_BYTES} or 0. */
  readonly tokenLength: number
}

/** Bytes that stand between a transaction's header and its first record. */
export function remarkLength({ noteLength, userLength, tokenLength }: RemarkLengths): number {
  return noteLength + userLength + tokenLength
}

/** Lengths of what a transaction says of itself. */
export type RemarkLengths = Pick<TransactionHeader, 'noteLength' | 'userLength' | 'tokenLength'>

/** What the coordinator knows of a transaction and the thread that laid it out does not. */
export interface TransactionStamp {
  /** Offset of the transaction in the file. */
  readonly position: number
  readonly tid: Tid
  readonly time: number
  readonly durable: number
  readonly nextOid: Oid
  readonly seed: number
}

/** Writes the part of a transaction header that does not depend on its place in the journal. */
export function writeTransactionShape(
  view: DataView,
  length: number,
  recordCount: number,
  { noteLength, userLength, tokenLength }: RemarkLengths,
): void {
  view.setUint32(0, TRANSACTION_MAGIC, true)
  writeId(view, 8, length)
  view.setUint32(48, recordCount, true)
  view.setUint16(52, noteLength, true)
  view.setUint8(54, userLength)
  view.setUint8(55, tokenLength)
}

/** The inverse of the part of {@link writeTransactionShape} that tells where the records begin. */
export function readRemarkLengths(view: DataView): RemarkLengths {
  return { noteLength: view.getUint16(52, true), userLength: view.getUint8(54), tokenLength: view.getUint8(55) }
}

/** Completes the header and the trailer of a transaction whose records are complete. */
export function stampTransaction(bytes: Uint8Array, view: DataView, stamp: TransactionStamp): void {
  stampTransactionHeader(bytes, view, stamp)
  const trailer = bytes.length - TRAILER_BYTES
  writeTrailer(view, trailer, crc32(bytes.subarray(0, trailer)), bytes.length)
}

/** Completes a header of which the shape is there. */
export function stampTransactionHeader(bytes: Uint8Array, view: DataView, stamp: TransactionStamp): void {
  writeId(view, 16, stamp.tid)
  writeId(view, 24, stamp.time)
  writeId(view, 32, stamp.durable)
  writeId(view, 40, stamp.nextOid)
  writeId(view, 56, stamp.position)
  view.setUint32(4, crc32(bytes.subarray(8, TRANSACTION_HEADER_BYTES), stamp.seed), true)
}

/**
 * Writes the last {@link TRAILER_BYTES} of a transaction.
 *
 * @param checksum of everything from the header to the trailer
 */
export function writeTrailer(view: DataView, offset: number, checksum: number, length: number): void {
  view.setUint32(offset, checksum, true)
  view.setUint32(offset + 4, TRANSACTION_MAGIC, true)
  writeId(view, offset + 8, length)
}

/** Whether a transaction seems to begin at `position` of the file, as far as can be told without knowing the file's seed. */
export function seemsTransaction(view: DataView, position: number): boolean {
  if (view.byteLength < TRANSACTION_HEADER_BYTES) return false
  return view.getUint32(0, true) === TRANSACTION_MAGIC && readId(view, 56) === position
}

/** The header of a transaction at `position` of the file, or undefined if `bytes` do not begin with one. */
export function readTransactionHeader(
  bytes: Uint8Array,
  position: number,
  seed: number,
): TransactionHeader | undefined {
  const view = viewOf(bytes)
  if (!seemsTransaction(view, position)) return undefined
  if (crc32(bytes.subarray(8, TRANSACTION_HEADER_BYTES), seed) !== view.getUint32(4, true)) return undefined
  const length = readId(view, 8)
  if (length < MIN_TRANSACTION_BYTES || length > MAX_TRANSACTION_BYTES || length % 8 !== 0) return undefined
  return {
    length,
    tid: readId(view, 16),
    time: readId(view, 24),
    durable: readId(view, 32),
    nextOid: readId(view, 40),
    recordCount: view.getUint32(48, true),
    ...readRemarkLengths(view),
  }
}

/** The checksum of a whole transaction, or undefined if its bytes do not bear it out. */
export function transactionChecksum(bytes: Uint8Array): number | undefined {
  const trailer = readTrailer(bytes.subarray(bytes.length - TRAILER_BYTES))
  if (trailer === undefined || trailer.length !== bytes.length) return undefined
  return crc32(bytes.subarray(0, bytes.length - TRAILER_BYTES)) === trailer.checksum ? trailer.checksum : undefined
}

/** The last 16 bytes of a transaction. */
export function readTrailer(bytes: Uint8Array): { checksum: number; length: number } | undefined {
  const view = viewOf(bytes)
  if (bytes.length !== TRAILER_BYTES || view.getUint32(4, true) !== TRANSACTION_MAGIC) return undefined
  return { checksum: view.getUint32(0, true), length: readId(view, 8) }
}

/** Writes what the client knows of a record. Its data follow. */
export function writeRecordShape(view: DataView, offset: number, oid: Oid, length: number): void {
  view.setUint32(offset + 4, length, true)
  writeId(view, offset + 8, oid)
}

/** Completes a record of which shape and data are there. */
export function stampRecord(bytes: Uint8Array, view: DataView, offset: number, tid: Tid, previous: number): void {
  writeId(view, offset + 16, tid)
  writeId(view, offset + 24, previous)
  const end = offset + RECORD_HEADER_BYTES + view.getUint32(offset + 4, true)
  view.setUint32(offset, crc32(bytes.subarray(offset + 4, end)), true)
}

export function recordLength(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true)
}

export function recordOid(view: DataView, offset: number): Oid {
  return readId(view, offset + 8)
}

export function recordTid(view: DataView, offset: number): Tid {
  return readId(view, offset + 16)
}

/** Offset in the file of the version before, or 0. It is always less than the record's own. */
export function recordPrevious(view: DataView, offset: number): number {
  return readId(view, offset + 24)
}

/** Whether the record at `offset` of `bytes`, `length` bytes of data long, is what was written. */
export function recordIsIntact(bytes: Uint8Array, view: DataView, offset: number, length: number): boolean {
  const expected = view.getUint32(offset, true)
  return crc32(bytes.subarray(offset + 4, offset + RECORD_HEADER_BYTES + length)) === expected
}
