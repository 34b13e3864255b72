import type { SqliteConnection } from './engine.js'
import { Reader } from './reader.js'

/** Connections that are kept open for the next one who wants one. */
const MAX_IDLE = 4

/** Readers that each stay at the version of the database at which they began. */
export class ReaderPool {
  readonly #connect: () => SqliteConnection
  readonly #idle: Reader[] = []
  readonly #busy = new Set<Reader>()
  #closed = false

  constructor(connect: () => SqliteConnection) {
    this.#connect = connect
  }

  /** A reader that sees what there is now until it is released. */
  take(): Reader {
    const reader = this.#idle.pop() ?? this.#newReader()
    try {
      reader.begin()
      // Only the first query decides which version it is.
      reader.newest()
    } catch (error) {
      reader.close()
      throw error
    }
    this.#busy.add(reader)
    return reader
  }

  #newReader(): Reader {
    const connection = this.#connect()
    try {
      return new Reader(connection)
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /** Gives it back. May be called more than once. */
  release(reader: Reader): void {
    if (!this.#busy.delete(reader) || this.#closed) return
    if (end(reader) && this.#idle.length < MAX_IDLE) this.#idle.push(reader)
    else reader.close()
  }

  close(): void {
    this.#closed = true
    for (const reader of this.#busy) end(reader)
    for (const reader of [...this.#idle, ...this.#busy]) reader.close()
    this.#idle.length = 0
    this.#busy.clear()
  }
}

/** False if the reader is of no use any more; whoever has used it has been told. */
function end(reader: Reader): boolean {
  try {
    reader.end()
    return true
  } catch {
    return false
  }
}
