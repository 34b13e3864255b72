interface Request {
  readonly frame: Uint8Array
  readonly onStart: () => void
}

/**
 * What is to be sent to the server, in its order. Frames of one microtask go together; requests beyond the number that
 * the server takes at a time wait until others have been answered.
 */
export class Outbox {
  readonly #send: (bytes: Uint8Array<ArrayBuffer>) => void
  #frames: Uint8Array[] = []
  /** True if what is to be sent will be sent at the end of the microtask. */
  #isUrgent = false
  #waiting: Request[] = []
  #underWay = 0
  #limit = 1

  /** @param send takes frames in memory of their own */
  constructor(send: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#send = send
  }

  /** Drops everything, for another connection, whose server takes `limit` requests at a time. */
  restart(limit: number): void {
    this.#frames = []
    this.#waiting = []
    this.#underWay = 0
    this.#limit = limit
  }

  /** @param onStart called when the server may begin with it: at once, unless it has to wait for others */
  request(frame: Uint8Array, onStart: () => void): void {
    // The frame lies in memory that others share and that is written to only once, so it may wait.
    if (this.#underWay >= this.#limit) this.#waiting.push({ frame, onStart })
    else this.#start({ frame, onStart })
  }

  /** A request has been answered. */
  answered(): void {
    this.#underWay--
    const next = this.#waiting.shift()
    if (next !== undefined) this.#start(next)
  }

  #start({ frame, onStart }: Request): void {
    onStart()
    this.#underWay++
    this.#frames.push(frame)
    if (this.#isUrgent) return
    this.#isUrgent = true
    queueMicrotask(() => this.flush())
  }

  /** Sends a frame that nobody waits for: with the next request, or when there is nothing else to do. */
  post(frame: Uint8Array): void {
    if (this.#frames.length === 0) setImmediate(() => this.flush())
    this.#frames.push(frame)
  }

  /** Sends now what waits to be sent. */
  flush(): void {
    this.#isUrgent = false
    const frames = this.#frames
    if (frames.length === 0) return
    this.#frames = []
    const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const frame of frames) {
      bytes.set(frame, at)
      at += frame.length
    }
    this.#send(bytes)
  }
}
