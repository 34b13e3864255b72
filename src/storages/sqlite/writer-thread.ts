import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { ThreadEnd, whenReady } from '../../workers/writing-thread.js'
import type { OpenedDatabase, WriterClientEnd, WriterEvent, WriterSettings, WriterThreadData } from './messages.js'
import { OpenTids } from './open-tids.js'
import { WriterClient } from './writer-client.js'

/** Starts the thread; given to tests, which put a thread of their own in its place. */
export type WriterStarter = (data: WriterThreadData, transfer: MessagePort[]) => Worker

const startWriterWorker: WriterStarter = (data, transfer) =>
  new Worker(new URL('./writer-worker.js', import.meta.url), {
    name: 'perdure-sqlite-writer',
    workerData: data,
    transferList: transfer,
  })

/** What a handle must have to commit: made by the owner, and sent to the handle's thread. */
export interface WriterLink {
  readonly port: MessagePort
  /** Memory of its OpenTids. */
  readonly openTids: SharedArrayBuffer
}

/** The thread that writes, as the thread that has opened the storage sees it. */
export class WriterThread {
  readonly client: WriterClient
  readonly opened: OpenedDatabase
  /** Memory of the owner's OpenTids. */
  readonly openTids: SharedArrayBuffer
  readonly #end: ThreadEnd

  private constructor(worker: Worker, path: string, near: WriterLink, opened: OpenedDatabase) {
    this.client = new WriterClient(near.port, path)
    this.openTids = near.openTids
    this.opened = opened
    this.#end = new ThreadEnd(worker, this.client, path)
  }

  /**
   * Starts the thread and lets it open the database.
   *
   * @throws what `openForWriting` throws, and PerdureError `PERDURE_THREAD`
   */
  static async start(settings: WriterSettings, startWorker: WriterStarter = startWriterWorker): Promise<WriterThread> {
    const { near, far } = link()
    const worker = startWorker({ settings, client: far }, [far.port])
    try {
      const { opened } = await whenReady<WriterEvent>(worker, settings.path)
      return new WriterThread(worker, settings.path, near, opened)
    } catch (error) {
      near.port.close()
      await worker.terminate()
      throw error
    }
  }

  /** What another handle needs to commit. */
  connect(): WriterLink {
    const { near, far } = link()
    this.client.send({ type: 'connect', client: far }, [far.port])
    return near
  }

  /**
   * Waits for the commits under way, then lets the thread close the database and end.
   *
   * @throws PerdureError if the database could not be closed in good order
   */
  async close(): Promise<void> {
    await this.client.idle()
    await this.#end.after(() => this.client.send({ type: 'close' }))
  }
}

/** The two ends of a way to the writer. */
function link(): { near: WriterLink; far: WriterClientEnd } {
  const { port1, port2 } = new MessageChannel()
  const openTids = new OpenTids().memory
  return { near: { port: port1, openTids }, far: { port: port2, openTids } }
}
