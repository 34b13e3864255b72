import type { OpenFile } from './journal-file.js'
import { Preallocation } from './preallocation.js'

/**
 * Appends to the journal. It is the only thing that writes to the file while a storage is open, and it knows how
 * far the file is surely on the disk. Nothing here is ever tried a second time.
 */
export class JournalWriter {
  readonly #file: OpenFile
  readonly #preallocation: Preallocation
  #end: number
  #durable: number

  /**
   * @param end where the journal ends, every byte before it being on the disk
   * @param preallocationBytes by which the file is made longer than what has been written
   */
  constructor(file: OpenFile, end: number, preallocationBytes?: number) {
    this.#file = file
    this.#preallocation = new Preallocation(file, file.size(), preallocationBytes)
    this.#end = end
    this.#durable = end
  }

  /** Where the next transaction will stand. */
  get end(): number {
    return this.#end
  }

  /** Every byte before this offset is on the disk. */
  get durable(): number {
    return this.#durable
  }

  /**
   * Appends stamped transactions, one after another.
   *
   * @param buffers whole transactions; their lengths are multiples of 8
   * @throws PerdureError `PERDURE_NO_SPACE`, `PERDURE_IO`; the writer must then only be given up
   */
  append(buffers: readonly Uint8Array[]): void {
    let end = this.#end
    for (const buffer of buffers) end += buffer.length
    this.#preallocation.prepare(end)
    this.#file.write(buffers, this.#end)
    this.#end = end
  }

  /** @throws PerdureError `PERDURE_IO`; the writer must then only be given up */
  sync(): void {
    if (this.#durable === this.#end) return
    this.#file.sync()
    this.#durable = this.#end
  }

  /** Takes back what was appended after `end`, as far as that works; it was never acknowledged. */
  discard(end: number): void {
    try {
      this.#preallocation.trim(end)
    } catch {
      // The next opening finds a torn tail and cuts it off.
    }
  }

  /** Gives back what was preallocated. */
  trim(): void {
    this.#preallocation.trim(this.#end)
    this.#file.sync()
  }
}
