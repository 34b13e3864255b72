import type { Oid } from '../core/oid.js'
import { CheckpointFile } from './checkpoint.js'
import type { FileSystem } from './journal-file.js'
import { PAGE_ENTRIES } from './oid-index.js'
import type { JournalSurvey } from './survey.js'
import { WatermarkReader } from './watermark.js'

/** What the sidecar files say of a journal: how far it had been stored, and where the newest records were. */
export class JournalWitness {
  readonly #checkpoint: CheckpointFile | undefined
  /** From the watermark; 0 if there is none. */
  readonly #durable: number
  #trusted = false

  constructor(fileSystem: FileSystem, path: string, uuid: Uint8Array | undefined) {
    const checkpoint = uuid === undefined ? 'foreign' : CheckpointFile.open(fileSystem, path, uuid)
    this.#checkpoint = typeof checkpoint === 'string' ? undefined : checkpoint
    const watermark = uuid === undefined ? undefined : WatermarkReader.open(fileSystem, path)
    this.#durable = (uuid === undefined ? undefined : watermark?.read(uuid)?.durable) ?? 0
    watermark?.close()
  }

  /** End of a transaction whose checksum decides whether the checkpoint is of this journal. */
  get covered(): number {
    return this.#checkpoint?.header.covered ?? 0
  }

  /** Must be asked before anything else: a checkpoint of another life of the journal says nothing about this one. */
  compareWith(survey: JournalSurvey): void {
    const { covered } = this
    const inGap = survey.gaps.some(({ from, to }) => covered > from && covered <= to) || covered > survey.last.end
    const checksum = survey.checksumAtCovered
    this.#trusted = checksum === undefined ? inGap : checksum === this.#checkpoint?.header.checksum
  }

  /** Every byte of the journal before this offset had been on the disk. */
  get durable(): number {
    return Math.max(this.#durable, (this.#trusted && this.#checkpoint?.header.required) || 0)
  }

  get nextOid(): Oid {
    return (this.#trusted && this.#checkpoint?.header.nextOid) || 0
  }

  /** Where the newest record of each object had been, as far as the checkpoint can be read. In steps of a page. */
  *entries(visit: (oid: Oid, offset: number) => void): Generator<void> {
    const checkpoint = this.#checkpoint
    if (checkpoint === undefined || !this.#trusted) return
    const page = new BigUint64Array(PAGE_ENTRIES)
    for (let number = 0; number < checkpoint.header.pages; number++) {
      if (!checkpoint.readPage(number, page)) continue
      for (let i = 0; i < PAGE_ENTRIES; i++) {
        const offset = Number(page[i])
        if (offset !== 0) visit(number * PAGE_ENTRIES + i, offset)
      }
      yield
    }
  }

  close(): void {
    this.#checkpoint?.close()
  }
}
