import type { MessagePort } from 'node:worker_threads'
import { type PerdureError, unpackError } from '../../core/errors.js'
import { restoredTime } from '../../core/restored.js'
import type { CommitRequest, CommitResult } from '../../core/storage.js'
import { closedByOwner, settleCommit, threadLost, type Waiting } from '../../workers/commit-waiting.js'
import type { CommitAnswer } from '../../workers/messages.js'
import type { CommitMessage, RemovalRequest, WriterReply, WriterRequest } from './messages.js'

/** What is to be done while objects are removed. */
export interface RemovalListener {
  /** Nothing has changed yet. Returns whether to go on. */
  onPrepared(): boolean
  onRemoved(objects: number, objectsTotal: number): void
}

interface Removing extends Waiting<'done' | 'cancelled'> {
  readonly listener: RemovalListener
}

/** One handle's way to the thread that writes. */
export class WriterClient {
  readonly #port: MessagePort
  readonly #location: string
  readonly #waiting = new Map<number, Waiting<CommitResult>>()
  #removing: Removing | undefined
  #outbox: CommitMessage[] = []
  #lastId = 0
  /** Why nothing can be asked any more. */
  #lost: PerdureError | undefined
  #onIdle: (() => void) | undefined

  constructor(port: MessagePort, location: string) {
    this.#port = port
    this.#location = location
    port.on('message', (reply: WriterReply) => this.#receive(reply))
    port.on('close', () => this.fail(threadLost(location)))
    // Only what is under way keeps the process alive.
    port.unref()
  }

  /**
   * Copies the request and sends it at the end of the current microtask, together with others made meanwhile.
   *
   * @throws PerdureError (as a rejection) as said at `Storage.commit`
   */
  commit(request: CommitRequest): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) throw this.#lost
      const message = pack(++this.#lastId, request)
      this.#port.ref()
      this.#waiting.set(message.id, { resolve, reject })
      if (this.#outbox.length === 0) queueMicrotask(() => this.#flush())
      this.#outbox.push(message)
    })
  }

  #flush(): void {
    const commits = this.#outbox
    this.#outbox = []
    if (commits.length === 0) return
    const transfer = commits.map(({ data }) => data.buffer)
    this.send({ type: 'commits', commits }, transfer)
  }

  send(request: WriterRequest, transfer: (ArrayBuffer | MessagePort)[] = []): void {
    this.#port.postMessage(request, transfer)
  }

  /**
   * Asks for objects and versions to be removed. There must not be another removal under way.
   *
   * @throws PerdureError (as a rejection) as said at `Storage.pack`
   */
  remove(request: RemovalRequest, listener: RemovalListener): Promise<'done' | 'cancelled'> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) throw this.#lost
      this.#port.ref()
      this.#removing = { resolve, reject, listener }
      this.send({ type: 'remove', request }, [request.garbage.buffer, request.superseded.buffer])
    })
  }

  #receive(reply: WriterReply): void {
    switch (reply.type) {
      case 'answers':
        this.#settle(reply.answers)
        break
      case 'prepared':
        this.send({ type: this.#removing?.listener.onPrepared() ? 'proceed' : 'cancel' })
        break
      case 'removing':
        this.#removing?.listener.onRemoved(reply.objects, reply.objectsTotal)
        break
      case 'removed': {
        const removing = this.#removing
        this.#removing = undefined
        if (typeof reply.outcome === 'string') removing?.resolve(reply.outcome)
        else removing?.reject(unpackError(reply.outcome))
        this.#becomeIdleIfDone()
        break
      }
      case 'closed':
        this.fail(closedByOwner(this.#location))
    }
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
    return this.#waiting.size > 0 || this.#removing !== undefined
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
    const waiting: Pick<Removing, 'reject'>[] = [...this.#waiting.values()]
    if (this.#removing !== undefined) waiting.push(this.#removing)
    this.#waiting.clear()
    this.#removing = undefined
    for (const { reject } of waiting) reject(error)
    this.#becomeIdleIfDone()
  }

  /** Resolves when nothing is under way. */
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

/** Copies all records into one buffer, which can be transferred. */
function pack(
  id: number,
  { base, reads, writes, note = '', user = '', token, restored }: CommitRequest,
): CommitMessage {
  const restoredAt = restoredTime(restored)
  const data = new Uint8Array(writes.reduce((bytes, write) => bytes + write.data.length, 0))
  const ends: number[] = []
  let end = 0
  for (const write of writes) {
    data.set(write.data, end)
    end += write.data.length
    ends.push(end)
  }
  const oids = writes.map(({ oid }) => oid)
  return { id, base, reads: reads.slice(), oids, ends, data, note, user, token: token?.slice(), restoredAt }
}
