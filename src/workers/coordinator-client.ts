import { availableParallelism } from 'node:os'
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { type PackedError, type PerdureError, unpackError } from '../core/errors.js'
import { restoredTime } from '../core/restored.js'
import type { CommitRequest, CommitResult } from '../core/storage.js'
import type { SwitchOutcome, SwitchRequest } from '../journal/packed-base.js'
import { replacedMeanwhile, type SharedJournal } from '../journal/shared-journal.js'
import { layOutTransaction } from '../journal/transaction.js'
import { AnswerSlot } from './answer-slot.js'
import { closedByOwner, settleCommit, threadLost, type Waiting } from './commit-waiting.js'
import {
  AWAKE,
  BELL,
  type CommitAnswer,
  type CommitMessage,
  type CoordinatorReply,
  type CoordinatorRequest,
  type Durability,
} from './messages.js'
import { NewsFlag } from './news-flag.js'

/**
 * How long a thread waits in place for the answer to its only commit, in ms, if commits are not synced and the
 * coordinator is awake. Longer than such a commit ever takes, unless something else has taken the processor.
 */
const PATIENCE_MS = availableParallelism() > 1 ? 0.1 : 0

/** After waiting in vain, at most this many commits are sent without waiting: the processors are needed elsewhere. */
const LONGEST_PAUSE = 256

/** Smaller transactions are cheaper to copy than to transfer. */
const TRANSFER_BYTES = 32 * 1024

/** How long to wait for a journal that has its place already, in ms: a pack syncs the directory, and then tells. */
const NEWS_TIMEOUT_MS = 10_000

/** What a handle must have to commit: made by the coordinator's owner, and sent to the handle's thread. */
export interface ClientLink {
  readonly port: MessagePort
  readonly doorbell: SharedArrayBuffer
  /** Memory of an {@link AnswerSlot}. */
  readonly slot: SharedArrayBuffer
  /** Memory of a {@link NewsFlag}. */
  readonly news: SharedArrayBuffer
  readonly durability: Durability
}

/** One handle's way to the coordinator. */
export class CoordinatorClient {
  readonly #port: MessagePort
  readonly #bell: Int32Array
  readonly #location: string
  readonly #slot: AnswerSlot
  readonly #news: NewsFlag
  readonly #patienceMs: number
  /** How many commits to send without waiting for them in place, and how many it will be after the next failure. */
  #pause = 0
  #nextPause = 1
  readonly #waiting = new Map<number, Waiting<CommitResult>>()
  readonly #switching = new Map<number, Waiting<SwitchOutcome>>()
  #newest: SharedJournal | undefined
  /** Called when a pack has made a new journal, so that the old one is let go even if nobody asks for anything. */
  onJournal: (() => void) | undefined
  #outbox: CommitMessage[] = []
  #lastId = 0
  /** Why nothing can be committed any more. */
  #lost: PerdureError | undefined
  #onIdle: (() => void) | undefined

  constructor({ port, doorbell, slot, news, durability }: ClientLink, location: string) {
    this.#port = port
    this.#bell = new Int32Array(doorbell)
    this.#slot = new AnswerSlot(slot)
    this.#news = new NewsFlag(news)
    this.#patienceMs = durability === 'os' ? PATIENCE_MS : 0
    this.#location = location
    port.on('message', (reply: CoordinatorReply) => {
      this.#receive(reply)
      if (reply.type === 'journal') this.onJournal?.()
    })
    port.on('close', () => this.fail(threadLost(location)))
    // Only a commit under way keeps the process alive.
    port.unref()
  }

  /**
   * Copies the request and sends it at the end of the current microtask, together with others made meanwhile.
   *
   * @throws PerdureError (as a rejection) as said at `Storage.commit`
   */
  commit({ base, reads, writes, restored, ...remarks }: CommitRequest): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) throw this.#lost
      const image = writes.length === 0 ? undefined : layOutTransaction(writes, remarks)
      const restoredAt = restoredTime(restored)
      const id = ++this.#lastId
      if (this.#waiting.size === 0) this.#port.ref()
      this.#waiting.set(id, { resolve, reject })
      if (this.#outbox.length === 0) queueMicrotask(() => this.#flush())
      this.#outbox.push({ id, base, reads: reads.slice(), image, restoredAt })
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
    switch (reply.type) {
      case 'answers':
        this.#settle(reply.answers)
        break
      case 'journal':
        this.#newest = reply.shared
        break
      case 'switched':
        this.#settleSwitch(reply.id, reply.outcome)
        break
      case 'closed':
        this.fail(closedByOwner(this.#location))
    }
  }

  /**
   * The journal that a pack has made, if there is one newer than `generation`. Every commit that has been answered
   * before the call is in that journal, or in the one of `generation` if there is none.
   */
  newerJournal(generation: number): SharedJournal | undefined {
    while (this.#news.generation > Math.max(generation, this.#newest?.generation ?? 0)) {
      // Not left to the event loop, which would get to it only after this call.
      const next = receiveMessageOnPort(this.#port)
      if (next === undefined) break
      this.#receive(next.message as CoordinatorReply)
    }
    return this.#newest !== undefined && this.#newest.generation > generation ? this.#newest : undefined
  }

  /**
   * As {@link newerJournal}, when it is known that there will be one in a moment. Blocks the thread.
   *
   * @throws PerdureError `PERDURE_BUSY` if there is none in time; `PERDURE_CLOSED`, `PERDURE_THREAD`
   */
  awaitNewerJournal(generation: number): SharedJournal {
    this.#news.wait(generation, NEWS_TIMEOUT_MS)
    const newer = this.newerJournal(generation)
    if (newer === undefined) throw this.#lost ?? replacedMeanwhile(this.#location)
    return newer
  }

  /**
   * Asks for a packed journal to be put in the place of the old one.
   *
   * @throws PerdureError (as a rejection) as said at `CoordinatorLoop.switchTo`; `PERDURE_CLOSED`, `PERDURE_THREAD`
   */
  switchTo(request: SwitchRequest): Promise<SwitchOutcome> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) throw this.#lost
      const id = ++this.#lastId
      this.#port.ref()
      this.#switching.set(id, { resolve, reject })
      this.send({ type: 'switch', id, request })
    })
  }

  #settleSwitch(id: number, outcome: SwitchOutcome | PackedError): void {
    const waiting = this.#switching.get(id)
    this.#switching.delete(id)
    if ('switched' in outcome) waiting?.resolve(outcome)
    else waiting?.reject(unpackError(outcome))
    this.#becomeIdleIfDone()
  }

  #settle(answers: readonly CommitAnswer[]): void {
    for (const { id, outcome } of answers) {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (waiting !== undefined) settleCommit(waiting, outcome)
    }
    this.#becomeIdleIfDone()
  }

  get #isBusy(): boolean {
    return this.#waiting.size > 0 || this.#switching.size > 0
  }

  #becomeIdleIfDone(): void {
    if (this.#isBusy) return
    this.#port.unref()
    this.#onIdle?.()
  }

  /** Rejects whatever waits, and everything that comes later. */
  fail(error: PerdureError): void {
    if (this.#lost !== undefined) return
    this.#lost = error
    this.#outbox = []
    const waiting = [...this.#waiting.values(), ...this.#switching.values()]
    this.#waiting.clear()
    this.#switching.clear()
    for (const { reject } of waiting) reject(error)
    this.#becomeIdleIfDone()
  }

  /** Resolves when no commit and no switch is under way. */
  async idle(): Promise<void> {
    this.#flush()
    if (this.#isBusy) await new Promise<void>((resolve) => (this.#onIdle = resolve))
  }

  /** Gives up the port. */
  disconnect(): void {
    this.fail(closedByOwner(this.#location))
    this.#port.close()
  }
}
