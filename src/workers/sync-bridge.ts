import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  type Transferable,
  type Worker,
} from 'node:worker_threads'
import { PerdureError } from '../core/errors.js'

/*
 * A thread that answers both ways: to a thread that goes on with its event loop, and to one that must have the answer
 * before it can go on. All messages take one port, so they come in one order whichever way they are waited for. A word
 * of shared memory says that there are new ones; that is what a waiting thread sleeps on.
 */

/** Counts the messages from the bridge. */
const NEWS = 0
/** Counts the probes that the bridge has answered. */
const ALIVE = 1
/** 1 when the bridge's thread has ended. */
const ENDED = 2
const WORDS = 3

/** How a thread that waits finds out that the bridge hangs. */
export interface BridgePatience {
  /** How often it looks whether the bridge is still there, in ms. */
  readonly probeMs: number
  /** So many looks in a row without a sign of life, and the bridge counts as dead. They are counted, not timed: a process may be frozen. */
  readonly probes: number
}

const PATIENCE: BridgePatience = { probeMs: 500, probes: 20 }

/** How long a thread that was asked to end may take, in ms. */
const END_MS = 2000

/** What a bridge's thread finds in its `workerData`. */
export interface BridgeWorkerData<Settings> {
  readonly port: MessagePort
  readonly words: Int32Array
  readonly settings: Settings
}

/** Hears what comes from a bridge. */
export interface BridgeListener<Down> {
  /** Called in the order of sending, from the event loop or from within a wait. It must not throw. */
  receive(message: Down): void
  /** The thread has ended although nobody asked it to. Called once; nothing comes afterwards. */
  ended(error: PerdureError): void
}

/** Starts the thread; given to tests, which put a thread of their own in its place. */
export type BridgeStarter = (workerData: object, transferList: Transferable[]) => Worker

/** The bridge, as the thread that uses it sees it. */
export class SyncBridge<Up, Down> {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #words = new Int32Array(new SharedArrayBuffer(WORDS * 4))
  readonly #listener: BridgeListener<Down>
  readonly #location: string
  readonly #exited: Promise<void>
  readonly #patience: BridgePatience
  #dead: PerdureError | undefined
  #ending = false

  /** @param location what the bridge leads to, for messages */
  constructor(
    start: BridgeStarter,
    settings: object,
    location: string,
    listener: BridgeListener<Down>,
    patience = PATIENCE,
  ) {
    this.#patience = patience
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.#listener = listener
    this.#location = location
    this.#worker = start({ port: port2, words: this.#words, settings }, [port2])
    port1.on('message', (message: Down) => listener.receive(message))
    this.#worker.on('error', (error) => this.#fail(error))
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.drain()
        this.#fail(undefined)
        resolve()
      })
    })
    port1.unref()
    this.#worker.unref()
  }

  /** Says whether what is under way keeps the process alive. */
  hold(alive: boolean): void {
    if (alive) this.#port.ref()
    else this.#port.unref()
  }

  post(message: Up, transferList: Transferable[] = []): void {
    if (this.#dead === undefined) this.#port.postMessage(message, transferList)
  }

  /** Hears what has come already, without waiting for a turn of the event loop. */
  drain(): void {
    for (let item = receiveMessageOnPort(this.#port); item !== undefined; item = receiveMessageOnPort(this.#port)) {
      this.#listener.receive(item.message as Down)
    }
  }

  /**
   * Blocks the thread, except for hearing what comes, until `isDone`.
   *
   * @returns false if that has not happened within `limitMs`
   * @throws PerdureError `PERDURE_THREAD` if the bridge's thread has ended
   */
  wait(isDone: () => boolean, limitMs: number): boolean {
    const { probeMs, probes } = this.#patience
    const until = performance.now() + limitMs
    let unanswered = 0
    let answered = Atomics.load(this.#words, ALIVE)
    for (;;) {
      // Both are looked at before the port, so that nothing that was sent before is missed.
      const news = Atomics.load(this.#words, NEWS)
      const ended = Atomics.load(this.#words, ENDED) === 1
      this.drain()
      if (isDone()) return true
      if (ended) this.#fail(undefined)
      if (this.#dead !== undefined) throw this.#dead
      const left = until - performance.now()
      if (left <= 0) return false
      if (Atomics.wait(this.#words, NEWS, news, Math.min(left, probeMs)) !== 'timed-out') continue
      const alive = Atomics.load(this.#words, ALIVE)
      if (unanswered === 0 || alive !== answered) {
        unanswered = 0
        answered = alive
        this.#port.postMessage(null)
      }
      if (++unanswered > probes) this.#fail(new Error('It has given no sign of life.'))
    }
  }

  /** Lets the thread end after it has heard `farewell`, and waits for that. */
  async end(farewell: Up): Promise<void> {
    this.post(farewell)
    this.#ending = true
    this.#worker.ref()
    const timer = setTimeout(() => void this.#worker.terminate(), END_MS)
    await this.#exited
    clearTimeout(timer)
    this.#port.close()
  }

  #fail(cause: unknown): void {
    if (this.#dead !== undefined) return
    this.#dead = threadLost(this.#location, cause)
    this.#port.unref()
    if (!this.#ending) this.#listener.ended(this.#dead)
  }
}

/** The other end, in the bridge's thread. */
export class BridgeEnd<Up, Down> {
  readonly #port: MessagePort
  readonly #words: Int32Array

  constructor({ port, words }: BridgeWorkerData<unknown>, receive: (message: Up) => void) {
    this.#port = port
    this.#words = words
    port.on('message', (message: Up | null) => {
      if (message === null) Atomics.add(words, ALIVE, 1)
      else receive(message)
    })
    // Also after an error that nobody has caught. Who waits must not wait for its own event loop to say so.
    process.on('exit', () => {
      Atomics.store(words, ENDED, 1)
      this.#wake()
    })
  }

  post(message: Down, transferList: Transferable[] = []): void {
    this.#port.postMessage(message, transferList)
    this.#wake()
  }

  /** Lets the thread end when nothing else is under way. */
  close(): void {
    this.#port.close()
  }

  #wake(): void {
    Atomics.add(this.#words, NEWS, 1)
    Atomics.notify(this.#words, NEWS)
  }
}

function threadLost(location: string, cause: unknown): PerdureError {
  return new PerdureError(
    'PERDURE_THREAD',
    `The thread that talks to ${location} has ended unexpectedly. What was committed is safe; whether a commit under way was stored is not known. Close the storage and open it again.`,
    { details: { path: location }, ...(cause !== undefined && { cause }) },
  )
}
