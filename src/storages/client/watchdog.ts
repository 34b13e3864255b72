/** How often it looks, in parts of the limit. */
const LOOKS = 8

/**
 * Measures how long a server says nothing. Only time counts in which this thread has looked after its messages: a
 * thread that was blocked, or a process that was frozen, does not make a server late.
 */
export class Watchdog {
  readonly #limitMs: number
  readonly #look: () => void
  #timer: NodeJS.Timeout | undefined
  #isAwake = false
  #now = 0
  #lookedAt = 0
  #heardAt = 0

  /** @param look is called now and then while it is awake */
  constructor(limitMs: number, look: () => void) {
    this.#limitMs = limitMs
    this.#look = look
  }

  /** Time on its own clock, in ms. It may lag by the time between two looks. */
  get now(): number {
    return this.#now
  }

  /** What began before this, and is not over, has taken too long. */
  get overdueBefore(): number {
    return this.#now - this.#limitMs * (1 + 1 / LOOKS)
  }

  /** True if nothing has been heard for so long that it is time to ask for a sign of life. Not repeated at once. */
  isSilent(): boolean {
    if (this.#now - this.#heardAt <= this.#limitMs / 2) return false
    this.#heardAt = this.#now
    return true
  }

  heard(): void {
    this.#heardAt = this.#now
  }

  wake(): void {
    if (this.#isAwake) return
    this.#isAwake = true
    this.#lookedAt = performance.now()
    this.#heardAt = this.#now
    if (this.#timer === undefined) this.#timer = setInterval(() => this.#tick(), Math.max(1, this.#limitMs / LOOKS))
    else this.#timer.ref()
  }

  /** The timer goes on for a while, since to start one for each request would cost more than all else about it. */
  sleep(): void {
    this.#isAwake = false
    this.#timer?.unref()
  }

  #tick(): void {
    if (!this.#isAwake) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const now = performance.now()
    this.#now += Math.min(now - this.#lookedAt, (2 * this.#limitMs) / LOOKS)
    this.#lookedAt = now
    this.#look()
  }
}
