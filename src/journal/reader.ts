import { CorruptionError } from '../core/errors.js'
import type { Oid, Tid } from '../core/oid.js'
import type { StoredRecord } from '../core/storage.js'
import { BLOCK_BYTES, BlockCache } from './block-cache.js'
import {
  FILE_HEADER_BYTES,
  MAX_RECORD_BYTES,
  RECORD_HEADER_BYTES,
  RESTORE_OR_REPAIR,
  recordIsIntact,
  recordLength,
  recordOid,
  recordPrevious,
  recordTid,
  viewOf,
} from './format.js'
import type { OpenFile } from './journal-file.js'

export const DEFAULT_BLOCK_CACHE_BYTES = 16 * 1024 * 1024

/** Tells how far the journal may be read by now. */
export type PublishedEnd = () => number

/**
 * Reads single records of a journal. Every record is checked before it is given out: its checksum, that it is of
 * the object that was asked for, and that it lies within the file.
 */
export class JournalReader {
  readonly #file: OpenFile
  readonly #cache: BlockCache
  readonly #publishedEnd: PublishedEnd

  constructor(file: OpenFile, publishedEnd: PublishedEnd, blockCacheBytes = DEFAULT_BLOCK_CACHE_BYTES) {
    this.#file = file
    this.#cache = new BlockCache(file, blockCacheBytes)
    this.#publishedEnd = publishedEnd
  }

  /**
   * The newest version of `oid` with a tid of at most `upTo`, or undefined.
   *
   * @param offset of the newest version of all
   * @throws CorruptionError, PerdureError `PERDURE_IO`
   */
  load(oid: Oid, offset: number, upTo: Tid): StoredRecord | undefined {
    for (let at = offset; at !== 0; ) {
      const found = this.#locate(oid, at)
      const { bytes, view, start, length } = found
      const tid = recordTid(view, start)
      if (tid <= upTo) {
        const data = start + RECORD_HEADER_BYTES
        return { oid, tid, data: bytes.subarray(data, data + length) }
      }
      const previous = recordPrevious(view, start)
      if (previous >= at) throw this.#damage(at, oid, 'its previous version would lie behind it')
      at = previous
    }
    return undefined
  }

  /**
   * Where the versions of `oid` stand, from the one at `offset` back to the first.
   *
   * @throws CorruptionError, PerdureError `PERDURE_IO`
   */
  *versions(oid: Oid, offset: number): Generator<number> {
    for (let at = offset; at !== 0; ) {
      const { view, start } = this.#locate(oid, at)
      const previous = recordPrevious(view, start)
      if (previous >= at) throw this.#damage(at, oid, 'its previous version would lie behind it')
      yield at
      at = previous
    }
  }

  /** The transaction that wrote the record of `oid` at `offset`. */
  tidAt(oid: Oid, offset: number): Tid {
    const { view, start } = this.#locate(oid, offset)
    return recordTid(view, start)
  }

  /** Finds an intact record, in the cache where that is possible. The result is valid until the next call. */
  #locate(oid: Oid, offset: number): Located {
    const located = this.#inCache(offset) ?? this.#fromFile(oid, offset)
    const { bytes, view, start, length } = located
    if (recordOid(view, start) !== oid) throw this.#damage(offset, oid, 'another object is stored there')
    if (!recordIsIntact(bytes, view, start, length)) throw this.#damage(offset, oid, 'its checksum is wrong')
    return located
  }

  #inCache(offset: number): Located | undefined {
    const within = offset % BLOCK_BYTES
    if (within + RECORD_HEADER_BYTES > BLOCK_BYTES) return undefined
    const block = (offset - within) / BLOCK_BYTES
    const end = this.#publishedEnd()
    const cache = this.#cache
    const head = cache.find(block, within + RECORD_HEADER_BYTES, end)
    if (head === -1) return undefined
    const start = head + within
    const length = recordLength(cache.view, start)
    const last = within + RECORD_HEADER_BYTES + length
    if (last > BLOCK_BYTES || cache.find(block, last, end) === -1) return undefined
    return { bytes: cache.bytes, view: cache.view, start, length }
  }

  /** Reads a record that spans blocks, or one that is so new that the end of the journal is not yet published. */
  #fromFile(oid: Oid, offset: number): Located {
    if (offset < FILE_HEADER_BYTES) throw this.#damage(offset, oid, 'there can be no record')
    const guess = Buffer.from(new ArrayBuffer(1024))
    const got = this.#file.read(guess, 0, guess.length, offset)
    if (got < RECORD_HEADER_BYTES) throw this.#damage(offset, oid, 'the file ends before it')
    const length = recordLength(viewOf(guess), 0)
    if (length > MAX_RECORD_BYTES) throw this.#damage(offset, oid, 'its length is impossible')
    const whole = RECORD_HEADER_BYTES + length
    if (whole <= got) return { bytes: guess, view: viewOf(guess), start: 0, length }
    const bytes = Buffer.from(new ArrayBuffer(whole))
    if (this.#file.read(bytes, 0, whole, offset) < whole) throw this.#damage(offset, oid, 'the file ends within it')
    return { bytes, view: viewOf(bytes), start: 0, length }
  }

  #damage(offset: number, oid: Oid, what: string): CorruptionError {
    return new CorruptionError(
      this.#file.path,
      offset,
      `the record of object ${oid} is not what was stored: ${what}. ${RESTORE_OR_REPAIR}`,
      {
        details: { oid },
      },
    )
  }
}

interface Located {
  readonly bytes: Buffer<ArrayBuffer>
  readonly view: DataView
  readonly start: number
  readonly length: number
}
