import type { Transport } from './transport.js'

/** While more than this waits to be sent, nothing more is read from the client, and no part of a stream is made. */
export const UNSENT_BYTES = 4 * 1024 * 1024

/** What a part of a stream is expected to take. */
export const PART_BYTES = 256 * 1024

/**
 * What goes to one client. Frames that are sent in one turn leave together, those that lie side by side in memory as
 * one piece. What waits to be sent is bounded: whoever sends much asks for {@link room} first.
 */
export class Output {
  readonly #transport: Transport
  #frames: Buffer[] = []
  #frameBytes = 0
  #reservedBytes = 0
  #isFlushing = false
  #isClosed = false
  #waiting: ((granted: boolean) => void)[] = []

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Bytes that wait to be sent. */
  get unsentBytes(): number {
    return this.#frameBytes + this.#transport.queuedBytes
  }

  get isFull(): boolean {
    return this.unsentBytes + this.#reservedBytes >= UNSENT_BYTES
  }

  send(frame: Buffer): void {
    if (this.#isClosed) return
    this.#frameBytes += frame.length
    const last = this.#frames.at(-1)
    if (last !== undefined && last.buffer === frame.buffer && last.byteOffset + last.length === frame.byteOffset) {
      this.#frames[this.#frames.length - 1] = Buffer.from(
        last.buffer as ArrayBuffer,
        last.byteOffset,
        last.length + frame.length,
      )
    } else {
      this.#frames.push(frame)
    }
    if (this.#isFlushing) return
    this.#isFlushing = true
    queueMicrotask(() => this.flush())
  }

  flush(): void {
    this.#isFlushing = false
    if (this.#frames.length === 0 || this.#isClosed) return
    const frames = this.#frames
    this.#frames = []
    this.#frameBytes = 0
    this.#transport.write(frames)
  }

  /**
   * Waits until there is room for a part. Whoever is granted some must {@link giveBack} it after sending the part,
   * or instead.
   *
   * @returns false if the connection has ended
   */
  room(): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false)
    if (!this.isFull) {
      this.#reservedBytes += PART_BYTES
      return Promise.resolve(true)
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  giveBack(): void {
    this.#reservedBytes -= PART_BYTES
    this.#grant()
  }

  /** To be called when the transport has sent everything. */
  drained(): void {
    this.#grant()
  }

  #grant(): void {
    while (this.#waiting.length > 0 && !this.isFull) {
      this.#reservedBytes += PART_BYTES
      this.#waiting.shift()?.(true)
    }
  }

  /** Sends what is there; nothing can be sent any more. */
  close(): void {
    this.flush()
    this.#isClosed = true
    for (const resolve of this.#waiting.splice(0)) resolve(false)
  }
}
