import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { packError } from '../../core/errors.js'
import type { CommitAnswer } from '../../workers/messages.js'
import { loadSqlite } from './engine.js'
import type {
  RemovalRequest,
  WriterClientEnd,
  WriterEvent,
  WriterReply,
  WriterRequest,
  WriterThreadData,
} from './messages.js'
import { OpenTids } from './open-tids.js'
import { Removal } from './removal.js'
import { DatabaseWriter, type PendingCommit } from './writer.js'

/*
 * The entry of the thread that writes. It takes what has come in at all ports, runs it as one batch, and answers. What
 * comes in meanwhile is the next batch: the busier it is, the more transactions share one sync.
 */

function report(event: WriterEvent): void {
  parentPort?.postMessage(event)
}

class WriterService {
  readonly #writer: DatabaseWriter
  readonly #clients = new Map<MessagePort, OpenTids>()
  readonly #answers = new Map<MessagePort, CommitAnswer[]>()
  #batch: PendingCommit[] = []
  #removal: Removal | undefined
  #turnIsDue = false
  #closing = false

  constructor(writer: DatabaseWriter, owner: WriterClientEnd) {
    this.#writer = writer
    this.#connect(owner)
    this.#removal = Removal.resume(writer, () => this.#openTids())
    if (this.#removal !== undefined) this.#wake()
  }

  #connect({ port, openTids }: WriterClientEnd): void {
    this.#clients.set(port, new OpenTids(openTids))
    port.on('message', (request: WriterRequest) => {
      this.#take(port, request)
      this.#wake()
    })
    port.on('close', () => this.#clients.delete(port))
  }

  #wake(): void {
    if (this.#turnIsDue) return
    this.#turnIsDue = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#turnIsDue = false
    this.#drain()
    if (this.#batch.length > 0) {
      const batch = this.#batch
      this.#batch = []
      this.#writer.runBatch(batch)
      this.#sendAnswers()
    }
    const hasMore = this.#removal?.step()
    if (this.#removal?.ended) this.#removal = undefined
    if (this.#closing) this.#close()
    else if (hasMore || this.#batch.length > 0) this.#wake()
  }

  /** Takes everything that waits at any port. */
  #drain(): void {
    for (const port of this.#clients.keys()) {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        this.#take(port, next.message as WriterRequest)
      }
    }
  }

  #take(port: MessagePort, request: WriterRequest): void {
    switch (request.type) {
      case 'commits':
        for (const { id, ...message } of request.commits) {
          this.#batch.push({ message, answer: (outcome) => this.#queue(port, { id, outcome }) })
        }
        break
      case 'connect':
        this.#connect(request.client)
        break
      case 'remove':
        this.#remove(port, request.request)
        break
      case 'proceed':
        this.#removal?.proceed()
        break
      case 'cancel':
        this.#removal?.cancel()
        break
      case 'close':
        this.#closing = true
    }
  }

  #remove(port: MessagePort, request: RemovalRequest): void {
    const send = (reply: WriterReply) => port.postMessage(reply)
    const failure = this.#finishRemoval()
    if (failure !== undefined) {
      send({ type: 'removed', outcome: packError(failure) })
      return
    }
    this.#removal = new Removal(this.#writer, request, () => this.#openTids(), {
      onPrepared: () => send({ type: 'prepared' }),
      onRemoved: (objects, objectsTotal) => send({ type: 'removing', objects, objectsTotal }),
      onEnd: (outcome) =>
        send({ type: 'removed', outcome: typeof outcome === 'string' ? outcome : packError(outcome) }),
    })
  }

  /** One that an earlier process, or one that failed, has left is finished first. Returns why it cannot be. */
  #finishRemoval(): Error | undefined {
    const failures: Error[] = []
    while (this.#removal !== undefined && !this.#removal.ended) this.#removal.step()
    const left = Removal.resume(
      this.#writer,
      () => this.#openTids(),
      (outcome) => {
        if (typeof outcome !== 'string') failures.push(outcome)
      },
    )
    while (left !== undefined && !left.ended) left.step()
    return failures[0]
  }

  /** Of all handles, those included that have been made until now. */
  #openTids(): Set<number> {
    this.#drain()
    const tids = new Set<number>()
    for (const open of this.#clients.values()) for (const tid of open) tids.add(tid)
    return tids
  }

  #queue(port: MessagePort, answer: CommitAnswer): void {
    const answers = this.#answers.get(port)
    if (answers === undefined) this.#answers.set(port, [answer])
    else answers.push(answer)
  }

  #sendAnswers(): void {
    for (const [port, answers] of this.#answers) port.postMessage({ type: 'answers', answers } satisfies WriterReply)
    this.#answers.clear()
  }

  #close(): void {
    try {
      this.#writer.close()
      report({ type: 'closed' })
    } catch (error) {
      report({ type: 'closed', error: packError(error) })
    }
    for (const port of this.#clients.keys()) {
      port.postMessage({ type: 'closed' } satisfies WriterReply)
      port.close()
    }
  }
}

const { settings, client } = workerData as WriterThreadData

try {
  const writer = new DatabaseWriter(await loadSqlite(), settings)
  report({ type: 'ready', opened: writer.opened })
  new WriterService(writer, client)
} catch (error) {
  report({ type: 'failed', error: packError(error) })
}
