import { PerdureError } from '../../core/errors.js'

/** Where the bytes go. */
export interface OutputFlow {
  /** Returns false if the peer is behind; {@link Output.drained} is to be called when it has caught up. */
  write(bytes: Uint8Array): boolean
}

/** Sends bytes no faster than the peer takes them. One sender at a time. */
export class Output {
  readonly #flow: OutputFlow
  readonly #stallMs: number
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined
  #end: { readonly error: unknown } | undefined

  /** @param stallMs how long a peer may take nothing */
  constructor(flow: OutputFlow, stallMs: number) {
    this.#flow = flow
    this.#stallMs = stallMs
  }

  /**
   * Sends bytes, and waits until the peer has taken most of what was sent.
   *
   * @throws PerdureError `PERDURE_TIMEOUT` if it takes nothing for too long
   */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.#end !== undefined) throw this.#end.error
    if (this.#flow.write(bytes)) return
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
