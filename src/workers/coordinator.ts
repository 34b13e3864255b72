import { availableParallelism } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { packError } from '../core/errors.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import type { SwitchRequest } from '../journal/packed-base.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import { AnswerSlot } from './answer-slot.js'
import type { PendingCommit } from './commit-validator.js'
import { CoordinatorLoop } from './coordinator-loop.js'
import {
  AWAKE,
  BELL,
  type ClientEnd,
  type CommitAnswer,
  type CoordinatorEvent,
  type CoordinatorReply,
  type CoordinatorRequest,
  type CoordinatorWorkerData,
} from './messages.js'
import { NewsFlag } from './news-flag.js'

/*
 * The entry of the coordinator's thread. It takes what has come in at all ports, runs it as one batch, and answers.
 */

/**
 * How long to look for the next message before going to sleep. To be waked takes about 30 us here, so a client that
 * commits one transaction after another would spend most of its time on that.
 */
const SPIN_MS = availableParallelism() > 1 ? 0.08 : 0

const { settings, client: owner, doorbell } = workerData as CoordinatorWorkerData
const bell = new Int32Array(doorbell)
Atomics.store(bell, AWAKE, 1)

function report(event: CoordinatorEvent): void {
  parentPort?.postMessage(event)
}

/** What belongs to one handle, besides its port. */
interface Client {
  readonly slot: AnswerSlot
  readonly news: NewsFlag
}

/** A request to put a packed journal in the place of the old one. */
interface PendingSwitch {
  readonly client: MessagePort
  readonly id: number
  readonly request: SwitchRequest
}

/** The handles that commit here. */
class Clients {
  readonly #clients = new Map<MessagePort, Client>()
  #answers = new Map<MessagePort, CommitAnswer[]>()
  #shared: SharedJournal
  /** In the order they came. */
  readonly switches: PendingSwitch[] = []
  /** Somebody has asked to close the journal. */
  closing = false
  /** A port has been added since the event loop last turned. */
  grown = false

  constructor(shared: SharedJournal) {
    this.#shared = shared
  }

  add({ port, slot, news }: ClientEnd): void {
    const client = { slot: new AnswerSlot(slot), news: new NewsFlag(news) }
    this.#clients.set(port, client)
    // Seen only when the event loop turns, which it does after each `connect`; so dead ports cannot pile up.
    port.on('close', () => this.#clients.delete(port))
    this.grown = true
    // The handle may have been made just before there was a new journal.
    if (this.#shared.generation > 0) this.#tell(port, client)
  }

  /**
   * Tells all handles of a new journal. A handle that is made meanwhile asks to be connected before it looks which
   * journal there is; so it is told when the requests are received that came before this has returned.
   */
  tellAll(shared: SharedJournal): void {
    this.#shared = shared
    for (const [port, client] of this.#clients) this.#tell(port, client)
  }

  #tell(port: MessagePort, { news }: Client): void {
    port.postMessage({ type: 'journal', shared: this.#shared } satisfies CoordinatorReply)
    news.raise(this.#shared.generation)
  }

  /** Takes everything that waits at any port; commits are added to the batch. */
  receive(batch: PendingCommit[]): void {
    for (const client of this.#clients.keys()) {
      for (let next = receiveMessageOnPort(client); next !== undefined; next = receiveMessageOnPort(client)) {
        this.#take(client, next.message as CoordinatorRequest, batch)
      }
    }
  }

  #take(client: MessagePort, request: CoordinatorRequest, batch: PendingCommit[]): void {
    switch (request.type) {
      case 'commits':
        for (const { id, base, reads, image, restoredAt } of request.commits) {
          batch.push({ base, reads, image, restoredAt, answer: (outcome) => this.#queue(client, { id, outcome }) })
        }
        break
      case 'connect':
        this.add(request.client)
        break
      case 'switch':
        this.switches.push({ client, id: request.id, request: request.request })
        break
      case 'close':
        this.closing = true
        break
    }
  }

  #queue(client: MessagePort, answer: CommitAnswer): void {
    const answers = this.#answers.get(client)
    if (answers === undefined) this.#answers.set(client, [answer])
    else answers.push(answer)
  }

  sendAnswers(): void {
    for (const [client, answers] of this.#answers) {
      const tid = answers.length === 1 ? answers[0]?.outcome.tid : undefined
      if (tid !== undefined && this.#clients.get(client)?.slot.answer(tid)) continue
      client.postMessage({ type: 'answers', answers } satisfies CoordinatorReply)
    }
    this.#answers.clear()
  }

  sayGoodbye(): void {
    for (const client of this.#clients.keys()) {
      client.postMessage({ type: 'closed' } satisfies CoordinatorReply)
      client.close()
    }
  }
}

/** Returns when the doorbell no longer shows `seen`: soon if it was rung, else after a sleep. */
function waitForBell(seen: number): void {
  const until = performance.now() + SPIN_MS
  while (performance.now() < until) {
    for (let i = 0; i < 50; i++) if (Atomics.load(bell, BELL) !== seen) return
  }
  Atomics.store(bell, AWAKE, 0)
  Atomics.wait(bell, BELL, seen)
  Atomics.store(bell, AWAKE, 1)
}

function runSwitch(loop: CoordinatorLoop, clients: Clients, { client, id, request }: PendingSwitch): void {
  let reply: CoordinatorReply
  try {
    const outcome = loop.switchTo(request)
    if (outcome.switched) clients.tellAll(loop.shared)
    reply = { type: 'switched', id, outcome }
  } catch (error) {
    reply = { type: 'switched', id, outcome: packError(error) }
  }
  client.postMessage(reply)
}

async function serve(loop: CoordinatorLoop): Promise<void> {
  const clients = new Clients(loop.shared)
  clients.add(owner)
  let batch: PendingCommit[] = []
  for (;;) {
    // Read before the ports are looked at: a message sent meanwhile changes it, and is not slept through.
    const seen = Atomics.load(bell, BELL)
    clients.receive(batch)
    const next = clients.switches.shift()
    if (next !== undefined) {
      runSwitch(loop, clients, next)
      // Handles that were made meanwhile must be told before a commit is answered.
      continue
    }
    if (batch.length > 0) {
      loop.runBatch(batch)
      batch = []
      clients.sendAnswers()
    } else if (clients.closing) {
      break
    } else if (clients.grown) {
      clients.grown = false
      await nextTurn()
    } else if (!loop.hasWork) {
      waitForBell(seen)
    }
    if (loop.hasWork) loop.work()
  }
  try {
    loop.close()
    report({ type: 'closed' })
  } catch (error) {
    report({ type: 'closed', error: packError(error) })
  }
  clients.sayGoodbye()
}

function start(): CoordinatorLoop | undefined {
  try {
    return new CoordinatorLoop(nodeFileSystem, settings)
  } catch (error) {
    report({ type: 'failed', error: packError(error) })
    return undefined
  }
}

const loop = start()
if (loop !== undefined) {
  report({ type: 'ready', shared: loop.shared, recovery: loop.recovery })
  await serve(loop)
}
