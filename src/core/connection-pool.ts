import type { Connection } from './connection.js'
import type { ConnectionOptions } from './connection-options.js'

/** Connections kept for reuse, with their caches. */
const MAX_IDLE = 8

/** Lends connections for one piece of work each. The last one that was given back is the first one lent again. */
export class ConnectionPool<Root extends object> {
  readonly #connect: (options: ConnectionOptions) => Connection<Root>
  /** By the options they were made with. */
  readonly #idle: { readonly key: string; readonly connection: Connection<Root> }[] = []
  #closed = false

  constructor(connect: (options: ConnectionOptions) => Connection<Root>) {
    this.#connect = connect
  }

  /** Runs `use` with a connection that nobody else has meanwhile, at the begin of a transaction. */
  async borrow<T>(options: ConnectionOptions, use: (connection: Connection<Root>) => Promise<T>): Promise<T> {
    const key = JSON.stringify([options.cacheSize, options.isolation, options.readonly === true])
    const connection = this.#take(key) ?? this.#connect(options)
    // Whoever kept an object of the last transaction may have begun one since: an await of the object is enough.
    connection.abort()
    try {
      return await use(connection)
    } finally {
      if (!this.#closed) await this.#giveBack(key, connection)
    }
  }

  /** From now on no connection is kept. Those that are lent, and those kept so far, are closed by whoever has made them. */
  close(): void {
    this.#closed = true
  }

  #take(key: string): Connection<Root> | undefined {
    const found = this.#idle.findLastIndex((idle) => idle.key === key)
    return found < 0 ? undefined : this.#idle.splice(found, 1)[0]?.connection
  }

  async #giveBack(key: string, connection: Connection<Root>): Promise<void> {
    try {
      connection.abort()
    } catch {
      // The function closed the connection, or left a commit of its own under way, which closing waits for.
      await connection.close()
      return
    }
    this.#idle.push({ key, connection })
    if (this.#idle.length > MAX_IDLE) await this.#idle.shift()?.connection.close()
  }
}
