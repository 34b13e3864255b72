import { availableParallelism } from 'node:os'
import type { MessagePort } from 'node:worker_threads'
import { PerdureError, unpackError } from '../core/errors.js'
import type { CommitRequest, CommitResult } from '../core/storage.js'
import { layOutTransaction } from '../journal/transaction.js'
import { AnswerSlot } from './answer-slot.js'
import {
  AWAKE,
  BELL,
  type CommitAnswer,
  type CommitMessage,
  type CommitOutcome,
  type CoordinatorReply,
  type CoordinatorRequest,
  type Durability,
} from './messages.js'

/**
 * How long a thread waits in place for the answer to its only commit, in ms, if commits are not synced and the
 * coordinator is awake. Longer than such a commit ever takes, unless something else has taken the processor.
 */
const PATIENCE_MS = availableParallelism() > 1 ? 0.1 : 0

/** After waiting in vain, at most this many commits are sent without waiting: the processors are needed elsewhere. */
const LONGEST_PAUSE = 256

/** Smaller transactions are cheaper to copy than to transfer. */
const TRANSFER_BYTES = 32 * 1024

interface Waiting {
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: PerdureError) => void
}

/** What a handle must have to commit: made by the coordinator's owner, and sent to the handle's thread. */
export interface ClientLink {
  readonly port: MessagePort
  readonly doorbell: SharedArrayBuffer
  /** Memory of an {@link AnswerSlot}. */
  readonly slot: SharedArrayBuffer
  readonly durability: Durability
}

/** One handle's way to the coordinator. */
export class CoordinatorClient {
  readonly #port: MessagePort
  readonly #bell: Int32Array
  readonly #location: string
  readonly #slot: AnswerSlot
  readonly #patienceMs: number
  /** How many commits to send without waiting for them in place, and how many it will be after the next failure. */
  #pause = 0
  #nextPause = 1
  readonly #waiting = new Map<number, Waiting>()
  #outbox: CommitMessage[] = []
  #lastId = 0
  /** Why nothing can be committed any more. */
  #lost: PerdureError | undefined
  #onIdle: (() => void) | undefined

  constructor({ port, doorbell, slot, durability }: ClientLink, location: string) {
    this.#port = port
    this.#bell = new Int32Array(doorbell)
    this.#slot = new AnswerSlot(slot)
    this.#patienceMs = durability === 'os' ? PATIENCE_MS : 0
    this.#location = location
    port.on('message', (reply: CoordinatorReply) => this.#receive(reply))
    port.on('close', () => this.fail(threadLost(location)))
    // Only a commit under way keeps the process alive.
    port.unref()
  }

  /**
   * Copies the request and sends it at the end of the current microtask, together with others made meanwhile.
   *
   * @throws PerdureError (as a rejection) as said at `Storage.commit`
   */
  commit({ base, reads, writes, ...remarks }: CommitRequest): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) throw this.#lost
      const image = writes.length === 0 ? undefined : layOutTransaction(writes, remarks)
      const id = ++this.#lastId
      if (this.#waiting.size === 0) this.#port.ref()
      this.#waiting.set(id, { resolve, reject })
      if (this.#outbox.length === 0) queueMicrotask(() => this.#flush())
      this.#outbox.push({ id, base, reads: reads.slice(), image })
    })
  }

  #flush(): void {
    const commits = this.#outbox
    this.#outbox = []
    if (commits.length === 0) return
    const transfer: ArrayBuffer[] = []
    for (const { image } of commits)
      if (image !== undefined && image.length > TRANSFER_BYTES) transfer.push(image.buffer)
    if (this.#mayWaitInPlace()) this.#sendAndWait(commits, transfer)
    else this.send({ type: 'commits', commits }, transfer)
  }

  /** A sleeping coordinator is not worth waiting for: the scheduler may even wake it on the processor that we keep busy. */
  #mayWaitInPlace(): boolean {
    if (this.#patienceMs === 0 || this.#waiting.size > 1 || Atomics.load(this.#bell, AWAKE) === 0) return false
    if (this.#pause === 0) return true
    this.#pause--
    return false
  }

  #sendAndWait(commits: readonly CommitMessage[], transfer: ArrayBuffer[]): void {
    this.#slot.expect()
    this.send({ type: 'commits', commits }, transfer)
    const tid = this.#slot.take(this.#patienceMs)
    if (tid === undefined) {
      this.#pause = this.#nextPause
      this.#nextPause = Math.min(LONGEST_PAUSE, this.#nextPause * 2)
    } else {
      this.#nextPause = 1
      this.#settle(commits.map(({ id }) => ({ id, outcome: { tid } })))
    }
  }

  send(request: CoordinatorRequest, transfer: (ArrayBuffer | MessagePort)[] = []): void {
    this.#port.postMessage(request, transfer)
    Atomics.add(this.#bell, BELL, 1)
    Atomics.notify(this.#bell, BELL)
  }

  #receive(reply: CoordinatorReply): void {
    if (reply.type === 'closed') this.fail(closedByOwner(this.#location))
    else this.#settle(reply.answers)
  }

  #settle(answers: readonly CommitAnswer[]): void {
    for (const { id, outcome } of answers) {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (waiting !== undefined) settle(waiting, outcome)
    }
    if (this.#waiting.size === 0) this.#becomeIdle()
  }

  #becomeIdle(): void {
    this.#port.unref()
    this.#onIdle?.()
  }

  /** Rejects whatever waits, and everything that comes later. */
  fail(error: PerdureError): void {
    if (this.#lost !== undefined) return
    this.#lost = error
    this.#outbox = []
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(error)
    this.#becomeIdle()
  }

  /** Resolves when no commit is under way. */
  async idle(): Promise<void> {
    this.#flush()
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
  }

  /** Gives up the port. */
  disconnect(): void {
    this.fail(closedByOwner(this.#location))
    this.#port.close()
  }
}

function settle({ resolve, reject }: Waiting, outcome: CommitOutcome): void {
  if (outcome.error === undefined) {
    resolve(outcome)
    return
  }
  const error = unpackError(outcome.error)
  if (outcome.cause !== undefined) error.cause = unpackError(outcome.cause)
  reject(error)
}

export function threadLost(location: string): PerdureError {
  return new PerdureError(
    'PERDURE_THREAD',
    `The thread that writes ${location} has ended unexpectedly. What was committed is safe; whether a commit under way was stored is not known. Close the storage and open it again.`,
    { details: { path: location } },
  )
}

function closedByOwner(location: string): PerdureError {
  return new PerdureError('PERDURE_CLOSED', `${location} has been closed.`, { details: { path: location } })
}
