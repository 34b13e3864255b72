import type { Output } from './output.js'
import { STREAM_WINDOW } from './protocol/messages.js'
import type { TurnLimit } from './turn-limit.js'

/** No client can be granted more parts than this at a time. */
const MAX_CREDIT = 2 ** 31

/** A request that is answered later, as its client can influence it. */
export interface ActiveRequest {
  /** The client wants no more of it, or is gone. */
  cancel(): void
  /** The client takes so many more parts. */
  grant(parts: number): void
}

/** A stream's right to send: as many parts as the client has granted, and none while too much waits to be sent. */
export class PartStream implements ActiveRequest {
  readonly #output: Output
  readonly #turns: TurnLimit
  #credit = STREAM_WINDOW
  #isCancelled = false
  #wake: (() => void) | undefined

  constructor(output: Output, turns: TurnLimit) {
    this.#output = output
    this.#turns = turns
  }

  get isCancelled(): boolean {
    return this.#isCancelled
  }

  cancel(): void {
    this.#isCancelled = true
    this.#wake?.()
  }

  grant(parts: number): void {
    this.#credit = Math.min(this.#credit + parts, MAX_CREDIT)
    this.#wake?.()
  }

  /** Lets others have their turn, if bulk work has kept the thread for long enough. To be called between pieces of it. */
  async pause(): Promise<void> {
    if (this.#turns.isReached) await this.#turns.next()
  }

  /**
   * Makes one part and sends it, when it may be sent.
   *
   * @param make resolves to the frame, or undefined if there is nothing left to send
   * @returns whether a part was sent, so that another may follow
   */
  async send(make: () => Promise<Buffer | undefined>): Promise<boolean> {
    while (this.#credit === 0 && !this.#isCancelled) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    await this.pause()
    if (this.#isCancelled || !(await this.#output.room())) return false
    try {
      const frame = await make()
      if (frame === undefined || this.#isCancelled) return false
      this.#credit--
      this.#output.send(frame)
      return true
    } finally {
      this.#output.giveBack()
    }
  }
}
