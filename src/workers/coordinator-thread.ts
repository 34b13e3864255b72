import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { PerdureError, unpackError } from '../core/errors.js'
import type { RecoveryReport } from '../journal/recovery.js'
import type { SharedJournal } from '../journal/shared-journal.js'
import { ANSWER_SLOT_BYTES } from './answer-slot.js'
import { type ClientLink, CoordinatorClient, threadLost } from './coordinator-client.js'
import {
  type ClientEnd,
  type CoordinatorEvent,
  type CoordinatorSettings,
  type CoordinatorWorkerData,
  DOORBELL_BYTES,
  type Durability,
} from './messages.js'
import { NEWS_FLAG_BYTES } from './news-flag.js'

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
  readonly #worker: Worker
  readonly #ended: Promise<void>
  #closeError: PerdureError | undefined

  private constructor(worker: Worker, client: CoordinatorClient, link: ClientLink, ready: ReadyEvent) {
    this.#worker = worker
    this.client = client
    this.#link = link
    this.shared = ready.shared
    this.recovery = ready.recovery
    this.#ended = new Promise((resolve) => {
      worker.on('message', (event: CoordinatorEvent) => {
        if (event.type !== 'closed') return
        if (event.error !== undefined) this.#closeError = unpackError(event.error)
        this.client.disconnect()
      })
      worker.on('error', (error) => this.#fail(error))
      worker.on('exit', () => {
        this.#fail(undefined)
        resolve()
      })
    })
    worker.unref()
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
      const ready = await firstEvent(worker, settings.path)
      return new CoordinatorThread(worker, new CoordinatorClient(near, settings.path), near, ready)
    } catch (error) {
      near.port.close()
      await worker.terminate()
      throw error
    }
  }

  #fail(cause: unknown): void {
    const error = threadLost(this.shared.path)
    if (cause !== undefined) error.cause = cause
    this.client.fail(error)
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
    this.#worker.ref()
    this.client.send({ type: 'close' })
    await this.#ended
    if (this.#closeError !== undefined) throw this.#closeError
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

function firstEvent(worker: Worker, path: string): Promise<ReadyEvent> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(threadLost(path))
    const onError = (cause: unknown) => reject(Object.assign(threadLost(path), { cause }))
    worker.once('exit', onExit)
    worker.once('error', onError)
    worker.once('message', (event: CoordinatorEvent) => {
      worker.off('exit', onExit)
      worker.off('error', onError)
      if (event.type === 'ready') resolve(event)
      else if (event.type === 'failed') reject(unpackError(event.error))
      else reject(new PerdureError('PERDURE_THREAD', `Unexpected message while opening ${path}.`))
    })
  })
}
