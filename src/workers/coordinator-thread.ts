import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { RecoveryReport } from '../journal/recovery.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import { ANSWER_SLOT_BYTES } from './answer-slot.js'
import { type ClientLink, CoordinatorClient } from './coordinator-client.js'
import {
  type ClientEnd,
  type CoordinatorEvent,
  type CoordinatorSettings,
  type CoordinatorWorkerData,
  DOORBELL_BYTES,
  type Durability,
} from './messages.js'
import { NEWS_FLAG_BYTES } from './news-flag.js'
import { ThreadEnd, whenReady } from './writing-thread.js'

/** Starts the thread; given to tests, which put a thread of their own in its place. */
export type CoordinatorStarter = (data: CoordinatorWorkerData, transfer: MessagePort[]) => Worker

export const startCoordinatorWorker: CoordinatorStarter = (data, transfer) =>
  new Worker(new URL('./coordinator.js', import.meta.url), {
    name: 'perdure-coordinator',
    workerData: data,
    transferList: transfer,
  })

/** The coordinator's thread, as the thread that has opened the storage sees it. */
export class CoordinatorThread {
  readonly client: CoordinatorClient
  /** The journal that was there when the storage was opened. */
  readonly shared: SharedJournal
  readonly recovery: RecoveryReport
  readonly #link: ClientLink
  readonly #end: ThreadEnd

  private constructor(worker: Worker, client: CoordinatorClient, link: ClientLink, ready: ReadyEvent) {
    this.client = client
    this.#link = link
    this.shared = ready.shared
    this.recovery = ready.recovery
    this.#end = new ThreadEnd(worker, client, ready.shared.path)
  }

  /**
   * Starts the thread and lets it open the journal.
   *
   * @throws what `openForWriting` throws, and PerdureError `PERDURE_THREAD`
   */
  static async start(
    settings: CoordinatorSettings,
    startWorker: CoordinatorStarter = startCoordinatorWorker,
  ): Promise<CoordinatorThread> {
    const doorbell = new SharedArrayBuffer(DOORBELL_BYTES)
    const { near, far } = link(doorbell, settings.durability)
    const worker = startWorker({ settings, client: far, doorbell }, [far.port])
    try {
      const ready = await whenReady<CoordinatorEvent>(worker, settings.path)
      return new CoordinatorThread(worker, new CoordinatorClient(near, settings.path), near, ready)
    } catch (error) {
      near.port.close()
      await worker.terminate()
      throw error
    }
  }

  /** What another handle needs to commit. To be called before it is looked which journal is the newest. */
  connect(): ClientLink {
    const { near, far } = link(this.#link.doorbell, this.#link.durability)
    this.client.send({ type: 'connect', client: far }, [far.port])
    return near
  }

  /**
   * Waits for the commits under way, then lets the thread close the journal and end.
   *
   * @throws PerdureError if the journal could not be closed in good order
   */
  async close(): Promise<void> {
    await this.client.idle()
    await this.#end.after(() => this.client.send({ type: 'close' }))
  }
}

/** The two ends of a way to the coordinator. */
function link(doorbell: SharedArrayBuffer, durability: Durability): { near: ClientLink; far: ClientEnd } {
  const { port1, port2 } = new MessageChannel()
  const slot = new SharedArrayBuffer(ANSWER_SLOT_BYTES)
  const news = new SharedArrayBuffer(NEWS_FLAG_BYTES)
  return { near: { port: port1, doorbell, slot, news, durability }, far: { port: port2, slot, news } }
}

type ReadyEvent = Extract<CoordinatorEvent, { type: 'ready' }>
