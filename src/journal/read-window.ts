import type { OpenFile } from './journal-file.js'

/** Bytes read at once, unless more are asked for, or the window was made smaller. */
export const WINDOW_BYTES = 1024 * 1024

/** A stretch of a file held in memory, read ahead, and as large as the largest piece asked for. */
export class ReadWindow {
  readonly #file: OpenFile
  readonly #limit: number
  readonly #size: number
  #buffer = Buffer.allocUnsafeSlow(0)
  #start = 0
  #length = 0

  /** @param limit bytes from this offset on are taken as not there */
  constructor(file: OpenFile, limit: number, size = WINDOW_BYTES) {
    this.#file = file
    this.#limit = limit
    this.#size = size
  }

  /** `length` bytes from `position` on, or as many as there are. A view that is valid until the next call. */
  bytes(position: number, length: number): Buffer<ArrayBuffer> {
    const wanted = Math.max(0, Math.min(length, this.#limit - position))
    const start = this.#hold(position, wanted)
    return this.#buffer.subarray(start, Math.min(start + wanted, this.#length))
  }

  /** The `length` bytes before `end`. If they must be read, so is what comes before them, not what follows. */
  before(end: number, length: number): Buffer<ArrayBuffer> {
    const position = end - length
    if (!this.#holds(position, length)) {
      const first = Math.max(0, end - Math.max(length, this.#size))
      this.#fill(first, end - first)
    }
    return this.bytes(position, length)
  }

  /** All bytes in memory from `position` on, and at least `least` if there are as many. As valid as {@link bytes}. */
  ahead(position: number, least: number): Buffer<ArrayBuffer> {
    const start = this.#hold(position, Math.max(0, Math.min(least, this.#limit - position)))
    return this.#buffer.subarray(Math.min(start, this.#length), this.#length)
  }

  /** Returns where in the buffer `position` is. */
  #hold(position: number, wanted: number): number {
    if (!this.#holds(position, wanted)) this.#fill(position, wanted)
    return position - this.#start
  }

  #holds(position: number, length: number): boolean {
    return position >= this.#start && position + length <= this.#start + this.#length
  }

  #fill(position: number, wanted: number): void {
    const size = Math.max(wanted, Math.min(this.#size, this.#limit - position))
    if (this.#buffer.length < size) this.#buffer = Buffer.allocUnsafeSlow(size)
    const length = Math.max(0, Math.min(this.#buffer.length, this.#limit - position))
    this.#start = position
    this.#length = this.#file.read(this.#buffer, 0, length, position)
  }
}
