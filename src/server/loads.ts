import { PerdureError } from '../core/errors.js'
import type { Snapshot } from '../core/storage.js'
import type { Output } from './output.js'
import type { PartStream } from './part-stream.js'
import type { Reply, Request } from './protocol/messages.js'
import { ReadAhead } from './read-ahead.js'
import { streamMany, streamRecords } from './record-streams.js'
import type { ServerStatistics } from './server-statistics.js'
import type { SnapshotTable } from './snapshot-table.js'

/** Oids in the `loadMany` requests of one client that have not been answered. In a frame they may take a byte each. */
const MOST_OIDS_WANTED = 1_048_576

type Of<T extends Request['type']> = Extract<Request, { readonly type: T }>

/** What one client loads. */
export class Loads {
  readonly #statistics: ServerStatistics
  readonly #output: Output
  readonly #limitBytes: number
  readonly #readAhead = new ReadAhead()
  #oidsWanted = 0
  #hasLoaded = false

  /** @param limitBytes the longest frame that the client takes */
  constructor(statistics: ServerStatistics, output: Output, limitBytes: number) {
    this.#statistics = statistics
    this.#output = output
    this.#limitBytes = limitBytes
  }

  load(id: number, { oid, aheadRecords, aheadBytes }: Of<'load'>, snapshot: Snapshot): Reply {
    const startedAt = performance.now()
    this.#hasLoaded = true
    const order = { request: id, oid, aheadRecords, aheadBytes, limitBytes: this.#limitBytes }
    const { frames, records } = this.#readAhead.load(snapshot, order)
    for (const frame of frames) this.#output.send(frame)
    this.#count(records)
    this.#statistics.loadLatency.record(performance.now() - startedAt)
    return { type: 'done' }
  }

  /**
   * What sends the objects that are asked for. A client that takes no answers must not have many long lists kept. It is
   * not made to wait: its credit would wait too.
   *
   * @throws PerdureError `PERDURE_LIMIT`
   */
  loadMany(
    id: number,
    { snapshot, oids }: Of<'loadMany'>,
    snapshots: SnapshotTable,
  ): (stream: PartStream) => Promise<void> {
    if (this.#oidsWanted + oids.length > MOST_OIDS_WANTED) {
      throw new PerdureError('PERDURE_LIMIT', `More than ${MOST_OIDS_WANTED} objects are asked for at a time.`, {
        details: { limit: MOST_OIDS_WANTED },
      })
    }
    this.#oidsWanted += oids.length
    return async (stream) => {
      try {
        this.#count(await streamMany(stream, id, snapshots.get(snapshot), oids, this.#limitBytes))
      } finally {
        this.#oidsWanted -= oids.length
      }
    }
  }

  async records(stream: PartStream, id: number, snapshot: Snapshot): Promise<void> {
    this.#count(await streamRecords(stream, id, snapshot, this.#limitBytes))
  }

  /** Gives up memory of a client that has loaded nothing since the last call. */
  rest(): void {
    if (!this.#hasLoaded) this.#readAhead.forget()
    this.#hasLoaded = false
  }

  /** Gives up all memory. */
  forget(): void {
    this.#readAhead.forget()
  }

  #count(records: number): void {
    this.#statistics.loads += records
  }
}
