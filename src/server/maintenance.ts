import type { PackOptions, PackResult, Storage, VerifyReport } from '../core/storage.js'
import type { Output } from './output.js'
import type { ActiveRequest } from './part-stream.js'
import { encodeServerMessage } from './protocol/message-frames.js'
import type { Part, Request } from './protocol/messages.js'

/** Progress is told no more often than this. */
const PROGRESS_INTERVAL_MS = 100

/** A pack or a verification that a client has asked for. It is given up if the client cancels it, or is gone. */
export class Maintenance implements ActiveRequest {
  readonly #output: Output
  readonly #request: number
  readonly #controller = new AbortController()
  #toldAt = Number.NEGATIVE_INFINITY
  /** The newest progress, as long as it has not been sent. */
  #untold: Part | undefined

  constructor(output: Output, request: number) {
    this.#output = output
    this.#request = request
  }

  cancel(): void {
    this.#controller.abort()
  }

  grant(): void {}

  async pack(storage: Storage, { retain, keepOld }: Extract<Request, { type: 'pack' }>): Promise<PackResult> {
    const options: PackOptions = {
      keepOld,
      signal: this.#controller.signal,
      onProgress: (progress) => this.#tell({ type: 'packProgress', progress }),
    }
    const result = await storage.pack(retain === undefined ? options : { ...options, retain })
    this.#tellLast()
    return result
  }

  async verify(storage: Storage): Promise<VerifyReport> {
    const report = await storage.verify({
      signal: this.#controller.signal,
      onProgress: (progress) => this.#tell({ type: 'verifyProgress', progress }),
    })
    this.#tellLast()
    return report
  }

  /** Clients are promised a word at the end. */
  #tellLast(): void {
    if (this.#untold !== undefined) this.#output.send(encodeServerMessage(this.#request, this.#untold))
  }

  /** Progress that a slow client would get late is not worth sending. */
  #tell(part: Part): void {
    const now = performance.now()
    this.#untold = part
    if (now - this.#toldAt < PROGRESS_INTERVAL_MS || this.#output.unsentBytes > 0) return
    this.#toldAt = now
    this.#untold = undefined
    this.#output.send(encodeServerMessage(this.#request, part))
  }
}
