import { setImmediate as nextTurn } from 'node:timers/promises'
import { CorruptionError, PerdureError } from '../core/errors.js'
import type { Tid } from '../core/oid.js'
import type { PointInTime } from '../core/storage.js'
import { checkpointPath } from '../journal/checkpoint.js'
import {
  checksumSeed,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  type FileHeader,
  RESTORE_OR_REPAIR,
  stampTransaction,
} from '../journal/format.js'
import { type OpenJournal, openForWriting } from '../journal/journal.js'
import type { FileSystem, OpenFile } from '../journal/journal-file.js'
import { JournalScanner } from '../journal/scanner.js'
import { TransactionImage } from '../journal/transaction.js'
import { type Steps, TransactionFinder } from '../journal/transaction-finder.js'
import { watermarkPath } from '../journal/watermark.js'
import { Pause } from './file-snapshot.js'
import { PointFinder } from './point-finder.js'

/** Bytes copied, or gathered for one write, at a time. */
const CHUNK_BYTES = 1024 * 1024

/** What `truncateAfter` has done. */
export interface TruncateResult {
  readonly path: string
  /** The file as it was; undefined if there was nothing to remove, and so nothing was done. */
  readonly copy: string | undefined
  /** The newest transaction now. */
  readonly tid: Tid
  /** How many transactions were removed. */
  readonly removed: number
  readonly bytesBefore: number
  readonly bytesAfter: number
}

/**
 * Removes the newest transactions of a journal, to which nobody else has access meanwhile.
 *
 * What is left is written to a new journal, which then takes the place of the old one under its name: at every moment
 * there is one of the two, whole. It has a uuid of its own, so that nothing that belongs to the old one (checkpoint,
 * watermark) is ever taken to belong to it. And it has a new database id, because from here on its tids and oids stand
 * for other things than those of the old one: whoever follows the file, or has cached something of it, must notice.
 */
export class Truncation {
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #signal: AbortSignal | undefined
  readonly #pause = new Pause(1)

  constructor(fileSystem: FileSystem, path: string, signal: AbortSignal | undefined) {
    this.#fileSystem = fileSystem
    this.#path = path
    this.#signal = signal
  }

  /** @param copyPath where the whole journal is kept; not given: beside it, under a name with the tid */
  async run(at: PointInTime, copyPath: string | undefined): Promise<TruncateResult> {
    // Repairs what a crash has left at the end, and finds damage.
    const journal = openForWriting(this.#fileSystem, this.#path, () => {})
    try {
      const { tid, end } = await this.#findEnd(journal, at)
      const { state } = journal
      if (tid === state.tid) {
        return { path: this.#path, copy: undefined, tid, removed: 0, bytesBefore: end, bytesAfter: end }
      }
      const copy = copyPath ?? `${this.#path}.before-${tid}`
      await this.#copy(journal.file, state.end, copy)
      await this.#replace(journal, end)
      return { path: this.#path, copy, tid, removed: state.tid - tid, bytesBefore: state.end, bytesAfter: end }
    } finally {
      journal.index.close()
      journal.file.close()
    }
  }

  /** The last transaction that is to stay, and where it ends. */
  async #findEnd({ file, header, state }: OpenJournal, at: PointInTime): Promise<{ tid: Tid; end: number }> {
    const finder = new TransactionFinder(file, header, state.end)
    const run = <T>(steps: Steps<T>) => this.#run(steps)
    const tid = await new PointFinder(this.#path, header, state.tid, finder, run).existing(at)
    const last = await run(finder.withTid(tid))
    return { tid, end: last?.end ?? FILE_HEADER_BYTES }
  }

  /** Keeps the journal as it is. The copy gets its name when it is complete and on the disk. */
  async #copy(source: OpenFile, size: number, to: string): Promise<void> {
    this.#assertAbsent(to)
    await this.#write(to, async (file) => {
      const buffer = Buffer.allocUnsafeSlow(Math.min(size, CHUNK_BYTES))
      for (let at = 0; at < size; at += buffer.length) {
        const length = source.read(buffer, 0, Math.min(buffer.length, size - at), at)
        file.write([buffer.subarray(0, length)], at)
        await this.#breathe()
      }
      this.#assertAbsent(to)
    })
  }

  async #replace({ file: source, header }: OpenJournal, end: number): Promise<void> {
    const uuid = crypto.getRandomValues(new Uint8Array(16))
    await this.#write(this.#path, (file) =>
      this.#rewrite(source, header, end, file, { ...header, uuid, databaseId: uuid }),
    )
    for (const sidecar of [checkpointPath(this.#path), watermarkPath(this.#path)]) this.#fileSystem.unlink(sidecar)
    this.#fileSystem.syncDirectory(this.#path)
  }

  /** Every transaction stays where it was, so that offsets in records hold. Only what depends on the uuid changes. */
  async #rewrite(source: OpenFile, from: FileHeader, end: number, file: OpenFile, to: FileHeader): Promise<void> {
    const scanner = new JournalScanner(source, checksumSeed(from.uuid), FILE_HEADER_BYTES, end)
    const seed = checksumSeed(to.uuid)
    let waiting: Uint8Array[] = [encodeFileHeader(to)]
    let written = 0
    for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
      const { position, header, image } = found
      const copy = new TransactionImage(Buffer.concat([image.bytes]))
      stampTransaction(copy.bytes, copy.view, { ...header, position, seed })
      waiting.push(copy.bytes)
      if (found.end - written >= CHUNK_BYTES) {
        file.write(waiting, written)
        waiting = []
        written = found.end
      }
      await this.#breathe()
    }
    file.write(waiting, written)
    if (scanner.position === end) return
    throw new CorruptionError(this.#path, scanner.position, `a transaction is damaged. ${RESTORE_OR_REPAIR}`)
  }

  /** Lets `write` make a file, and gives it its name, in place of what had that, when it is on the disk. */
  async #write(path: string, write: (file: OpenFile) => Promise<void>): Promise<void> {
    const temporary = `${path}.new`
    this.#fileSystem.unlink(temporary)
    const file = this.#fileSystem.open(temporary, 'create', this.#path)
    try {
      await write(file)
      file.sync()
    } catch (error) {
      file.close()
      this.#fileSystem.unlink(temporary)
      throw error
    }
    file.close()
    this.#fileSystem.rename(temporary, path)
    this.#fileSystem.syncDirectory(path)
  }

  #assertAbsent(path: string): void {
    if (!this.#fileSystem.exists(path)) return
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `${path} exists, and truncateAfter replaces no copy. Move it away, or name another one with { copy }.`,
      { details: { path } },
    )
  }

  async #run<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value
      await this.#breathe()
    }
  }

  async #breathe(): Promise<void> {
    if (this.#pause.isDue()) await nextTurn()
    this.#signal?.throwIfAborted()
  }
}
