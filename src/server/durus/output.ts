import { PerdureError } from '../../core/errors.js'
import type { Transport } from '../transport.js'

/** While this much waits to be sent, nothing is added. More than any socket holds without saying when it is drained. */
const HIGH_WATER_BYTES = 128 * 1024

/** A long answer is sent in pieces of this size, so that it can be seen whether the peer takes any of it. */
const PIECE_BYTES = 256 * 1024

/** Sends bytes no faster than the peer takes them. One sender at a time. */
export class Output {
  readonly #transport: Transport
  readonly #stallMs: number
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined
  #end: { readonly error: unknown } | undefined

  /** @param stallMs how long a peer may take none of what it was sent */
  constructor(transport: Transport, stallMs: number) {
    this.#transport = transport
    this.#stallMs = stallMs
  }

  /**
   * Sends bytes, and waits until the peer has taken most of what was sent.
   *
   * @throws PerdureError `PERDURE_TIMEOUT` if it does not for too long
   */
  async send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      if (this.#end !== undefined) throw this.#end.error
      this.#transport.write([bytes.subarray(at, at + PIECE_BYTES)])
      if (this.#transport.queuedBytes >= HIGH_WATER_BYTES) await this.#drain()
    }
  }

  async #drain(): Promise<void> {
    const message = `The client has not taken its answer for ${this.#stallMs} ms.`
    const error = new PerdureError('PERDURE_TIMEOUT', message, { details: { timeoutMs: this.#stallMs } })
    const timer = setTimeout(() => this.end(error), this.#stallMs)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting = { resolve, reject }
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** All that was written has been sent. */
  drained(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }

  /** Ends it: sending throws `error`. Only the first call counts. */
  end(error: unknown): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}
