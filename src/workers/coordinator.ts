import { availableParallelism } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { packError } from '../core/errors.js'
import { nodeFileSystem } from '../journal/journal-file.js'
import { AnswerSlot } from './answer-slot.js'
import { CoordinatorLoop, type PendingCommit } from './coordinator-loop.js'
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

/** The handles that commit here. */
class Clients {
  readonly #slots = new Map<MessagePort, AnswerSlot>()
  #answers = new Map<MessagePort, CommitAnswer[]>()
  /** Somebody has asked to close the journal. */
  closing = false
  /** A port has been added since the event loop last turned. */
  grown = false

  add({ port, slot }: ClientEnd): void {
    this.#slots.set(port, new AnswerSlot(slot))
    // Seen only when the event loop turns, which it does after each `connect`; so dead ports cannot pile up.
    port.on('close', () => this.#slots.delete(port))
    this.grown = true
  }

  /** Everything that waits at any port. */
  receive(): PendingCommit[] {
    const batch: PendingCommit[] = []
    for (const client of this.#slots.keys()) {
      for (let next = receiveMessageOnPort(client); next !== undefined; next = receiveMessageOnPort(client)) {
        this.#take(client, next.message as CoordinatorRequest, batch)
      }
    }
    return batch
  }

  #take(client: MessagePort, request: CoordinatorRequest, batch: PendingCommit[]): void {
    switch (request.type) {
      case 'commits':
        for (const { id, base, reads, image } of request.commits) {
          batch.push({ base, reads, image, answer: (outcome) => this.#queue(client, { id, outcome }) })
        }
        break
      case 'connect':
        this.add(request.client)
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
      if (tid !== undefined && this.#slots.get(client)?.answer(tid)) continue
      client.postMessage({ type: 'answers', answers } satisfies CoordinatorReply)
    }
    this.#answers.clear()
  }

  sayGoodbye(): void {
    for (const client of this.#slots.keys()) {
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

async function serve(loop: CoordinatorLoop): Promise<void> {
  const clients = new Clients()
  clients.add(owner)
  for (;;) {
    // Read before the ports are looked at: a message sent meanwhile changes it, and is not slept through.
    const seen = Atomics.load(bell, BELL)
    const batch = clients.receive()
    if (batch.length > 0) {
      loop.runBatch(batch)
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
