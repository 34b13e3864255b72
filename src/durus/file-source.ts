import { PerdureError } from '../core/errors.js'
import { isId, type Oid } from '../core/oid.js'
import type { OpenFile } from '../journal/journal-file.js'
import { WINDOW_BYTES } from '../journal/read-window.js'
import { DFS20_RECORD, scanDfs20 } from './dfs20.js'
import { OidTable } from './oid-table.js'
import { RecordFile } from './record-file.js'
import { SHELF_RECORD, scanShelf } from './shelf.js'
import type { DurusObject, DurusSource } from './source.js'

/** Read at once to load an object: in the order of the file the next ones are there too, in any other it costs little. */
const LOAD_BYTES = 64 * 1024

const FORMATS = {
  'SHELF-1': { record: SHELF_RECORD, scan: scanShelf },
  DFS20: { record: DFS20_RECORD, scan: scanDfs20 },
} as const

/** A file of one of Durus's own formats. What is in memory is where each object is, and a window of the file. */
export class FileSource implements DurusSource {
  readonly format: keyof typeof FORMATS
  readonly tornBytes: number
  readonly #file: OpenFile
  readonly #records: RecordFile
  readonly #places = new OidTable()
  #isOpen = true

  /**
   * Reads the whole file once.
   *
   * @param file is closed with the source
   * @throws CorruptionError, PerdureError `PERDURE_IO`
   */
  constructor(file: OpenFile, format: keyof typeof FORMATS) {
    const { record, scan } = FORMATS[format]
    const size = file.size()
    this.format = format
    this.#file = file
    this.tornBytes = scan(new RecordFile(file, size, record, WINDOW_BYTES), this.#places)
    this.#records = new RecordFile(file, size, record, LOAD_BYTES)
  }

  get path(): string {
    return this.#file.path
  }

  get objects(): number {
    return this.#places.count
  }

  get highestOid(): Oid {
    return this.#places.highest
  }

  *oids(): Generator<Oid> {
    this.#checkOpen()
    for (const position of this.#places.sortedValues()) {
      this.#checkOpen()
      this.#records.check(position, this.#records.size)
      yield this.#records.oid
    }
  }

  load(oid: Oid): DurusObject | undefined {
    this.#checkOpen()
    const position = isId(oid) ? this.#places.get(oid) : undefined
    return position === undefined ? undefined : this.#records.read(oid, position)
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#file.close()
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new PerdureError('PERDURE_CLOSED', `${this.path} has been closed.`)
  }
}
