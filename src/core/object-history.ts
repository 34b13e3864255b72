import type { Oid, Tid } from './oid.js'

/** One version of an object: what a transaction made of it. */
export interface ObjectVersion<T extends object = object> {
  /** The transaction that wrote this version. */
  readonly tid: Tid
  readonly time: Date
  /** '' if the commit had none. */
  readonly note: string
  /** '' if the commit had none. */
  readonly user: string

  /**
   * The object as it was then. What it refers to is as it was then, too. It belongs to a readonly connection to the past
   * that lives as long as the transaction in which the history was asked for: after that it must not be used.
   *
   * @throws PerdureError `PERDURE_HISTORY` if a pack has removed the version meanwhile, and those of a load
   */
  load(): Promise<T>
}

/** What a connection to the past is needed for. */
export interface PastConnection {
  get(oid: Oid): object | undefined
  close(): Promise<void>
}

/** The past versions that the running transaction of a connection has loaded. */
export class PastVersions {
  readonly #connectAt: (tid: Tid) => Promise<PastConnection>
  #connections = new Map<Tid, Promise<PastConnection>>()

  constructor(connectAt: (tid: Tid) => Promise<PastConnection>) {
    this.#connectAt = connectAt
  }

  /** The object as of a transaction that wrote it. */
  async load(oid: Oid, tid: Tid): Promise<object> {
    let opening = this.#connections.get(tid)
    if (opening === undefined) {
      opening = this.#connectAt(tid)
      this.#connections.set(tid, opening)
    }
    return (await opening).get(oid) as object
  }

  /** Closes the connections to the past: nothing that came from them can be read any more. */
  release(): void {
    for (const opening of this.#connections.values()) {
      // One that could not be opened has told whoever asked for it.
      opening.then(
        (connection) => connection.close(),
        () => {},
      )
    }
    this.#connections = new Map()
  }
}
