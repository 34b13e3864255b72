import { crc32 } from 'node:zlib'

const PAGE_BYTES = 4096

/**
 * The content of a file, with holes that read as zeros and take no memory. A copy shares its pages with the
 * original until one of them is written to, so that thousands of states of one file can be made.
 */
export class SparseBytes {
  #pages: Map<number, Buffer>
  #size: number
  /** Pages that no copy knows, and that may therefore be changed in place. */
  #own = new Set<number>()

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#pages = new Map()
    this.#size = 0
    if (bytes.length > 0) this.write(bytes, 0)
  }

  get size(): number {
    return this.#size
  }

  clone(): SparseBytes {
    const copy = new SparseBytes()
    copy.#pages = new Map(this.#pages)
    copy.#size = this.#size
    this.#own = new Set()
    return copy
  }

  /** Fills `length` bytes of `buffer`, or as many as there are, and says how many. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.#size - position))
    let at = 0
    while (at < count) {
      const within = (position + at) % PAGE_BYTES
      const page = this.#pages.get((position + at - within) / PAGE_BYTES)
      const step = page === undefined ? this.#holeAt(position + at, count - at) : PAGE_BYTES - within
      const end = at + Math.min(step, count - at)
      if (page === undefined) buffer.fill(0, offset + at, offset + end)
      else buffer.set(page.subarray(within, within + end - at), offset + at)
      at = end
    }
    return count
  }

  /** A lower bound of how many bytes from `position` on are in a hole. */
  #holeAt(position: number, most: number): number {
    const first = Math.floor(position / PAGE_BYTES)
    let next = first + 1
    while (next * PAGE_BYTES < position + most && !this.#pages.has(next)) next++
    return next * PAGE_BYTES - position
  }

  /** Makes the content longer where that is necessary. */
  write(bytes: Uint8Array, position: number): void {
    let at = 0
    while (at < bytes.length) {
      const within = (position + at) % PAGE_BYTES
      const step = Math.min(PAGE_BYTES - within, bytes.length - at)
      this.#writable((position + at - within) / PAGE_BYTES).set(bytes.subarray(at, at + step), within)
      at += step
    }
    if (bytes.length > 0) this.#size = Math.max(this.#size, position + bytes.length)
  }

  #writable(number: number): Buffer {
    const page = this.#pages.get(number)
    if (page !== undefined && this.#own.has(number)) return page
    const fresh = page === undefined ? Buffer.alloc(PAGE_BYTES) : Buffer.from(page)
    this.#pages.set(number, fresh)
    this.#own.add(number)
    return fresh
  }

  /** What is added is zero, and what is cut off is zero if it is added again. */
  resize(size: number): void {
    if (size < this.#size) {
      for (const number of this.#pages.keys()) if (number * PAGE_BYTES >= size) this.#pages.delete(number)
      const within = size % PAGE_BYTES
      const last = (size - within) / PAGE_BYTES
      if (within > 0 && this.#pages.has(last)) this.#writable(last).fill(0, within)
    }
    this.#size = size
  }

  toBuffer(): Buffer {
    const bytes = Buffer.alloc(this.#size)
    this.read(bytes, 0, this.#size, 0)
    return bytes
  }

  /** A number by which equal contents can be recognised, whatever holes they have. */
  fingerprint(): number {
    let result = crc32(String(this.#size))
    for (const number of [...this.#pages.keys()].sort((a, b) => a - b)) {
      const page = this.#pages.get(number) as Buffer
      if (!page.equals(ZEROS)) result = crc32(page, crc32(String(number), result))
    }
    return result
  }
}

const ZEROS = Buffer.alloc(PAGE_BYTES)
