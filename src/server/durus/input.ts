import { PerdureError } from '../../core/errors.js'
import type { Transport } from '../transport.js'

/** Bytes that nobody has asked for yet, before the peer is made to wait. */
const HIGH_WATER_BYTES = 64 * 1024

/** So many chunks smaller than this are put together. */
const SMALL_CHUNKS = 256
const SMALL_BYTES = 1024

interface Wanted {
  readonly count: number
  readonly resolve: (bytes: Buffer) => void
  readonly reject: (error: unknown) => void
}

/**
 * Bytes from a peer, to be read in the sizes that the protocol gives. It holds what has arrived, never room for what
 * has only been announced. One reader at a time.
 */
export class Input {
  readonly #transport: Pick<Transport, 'pause' | 'resume'>
  readonly #silenceMs: number
  #chunks: Buffer[] = []
  #available = 0
  /** Bytes of the first chunk that have been read. */
  #offset = 0
  #wanted: Wanted | undefined
  #silence: NodeJS.Timeout | undefined
  /** How many of the last chunks are small. */
  #small = 0
  #paused = false
  #end: { readonly error: unknown } | undefined

  /** @param silenceMs how long a peer may be silent in the middle of a request */
  constructor(transport: Pick<Transport, 'pause' | 'resume'>, silenceMs: number) {
    this.#transport = transport
    this.#silenceMs = silenceMs
  }

  /** Takes bytes that have arrived, and keeps them. */
  push(bytes: Buffer): void {
    if (this.#end !== undefined || bytes.length === 0) return
    this.#chunks.push(bytes)
    this.#available += bytes.length
    this.#gather(bytes)
    this.#silence?.refresh()
    this.#give()
    if (this.#wanted !== undefined || this.#available < HIGH_WATER_BYTES || this.#paused) return
    this.#paused = true
    this.#transport.pause()
  }

  /** Ends it: what has not been read is dropped, and reading throws `error`. Only the first call counts. */
  end(error: unknown): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#chunks = []
    this.#available = 0
    clearTimeout(this.#silence)
    const wanted = this.#wanted
    this.#wanted = undefined
    wanted?.reject(error)
  }

  /** The first byte of a request. There is no limit to how long it may take. */
  async command(): Promise<number> {
    return (await this.#read(1))[0] as number
  }

  /**
   * The next `count` bytes of a request.
   *
   * @throws PerdureError `PERDURE_TIMEOUT` if nothing arrives for too long
   */
  read(count: number): Promise<Buffer> {
    const bytes = this.#read(count)
    if (this.#wanted !== undefined) {
      const error = new PerdureError(
        'PERDURE_TIMEOUT',
        `The client has been silent for ${this.#silenceMs} ms in the middle of a request.`,
        { details: { timeoutMs: this.#silenceMs } },
      )
      this.#silence = setTimeout(() => this.end(error), this.#silenceMs)
    }
    return bytes
  }

  async int4(): Promise<number> {
    return (await this.read(4)).readUInt32BE(0)
  }

  #read(count: number): Promise<Buffer> {
    if (this.#end !== undefined) return Promise.reject(this.#end.error)
    if (this.#available >= count) return Promise.resolve(this.#take(count))
    return new Promise((resolve, reject) => {
      this.#wanted = { count, resolve, reject }
      if (!this.#paused) return
      this.#paused = false
      this.#transport.resume()
    })
  }

  #give(): void {
    const wanted = this.#wanted
    if (wanted === undefined || this.#available < wanted.count) return
    this.#wanted = undefined
    clearTimeout(this.#silence)
    this.#silence = undefined
    wanted.resolve(this.#take(wanted.count))
  }

  #take(count: number): Buffer {
    const parts: Buffer[] = []
    let used = 0
    for (let missing = count; missing > 0; ) {
      const chunk = this.#chunks[used] as Buffer
      const part = chunk.subarray(this.#offset, this.#offset + missing)
      parts.push(part)
      missing -= part.length
      this.#offset += part.length
      if (this.#offset < chunk.length) continue
      this.#offset = 0
      used++
    }
    if (used > 0) this.#chunks.splice(0, used)
    this.#small = Math.min(this.#small, this.#chunks.length)
    this.#available -= count
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, count)
  }

  /** Keeps many small chunks, each of which takes far more memory than its bytes, from piling up. */
  #gather({ length }: Buffer): void {
    this.#small = length < SMALL_BYTES ? this.#small + 1 : 0
    if (this.#small < SMALL_CHUNKS) return
    this.#chunks.push(Buffer.concat(this.#chunks.splice(-SMALL_CHUNKS)))
    this.#small = 0
  }
}
