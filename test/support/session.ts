import type { PersistentClass } from '../../src/core/class-info.js'
import type { Connection } from '../../src/core/connection.js'
import type { ConnectionOptions } from '../../src/core/connection-options.js'
import type { Database } from '../../src/core/database.js'
import type { Persistent } from '../../src/core/persistent.js'
import { databaseOf } from './databases.js'

/** What a program under test does to its connection between other steps. */
export type Turn = 'commit' | 'abort' | 'reload'

/** A database in memory and one connection to it, which can be replaced by a new one. */
export class Session<Root extends Persistent> {
  readonly database: Database<Root>
  connection: Connection<Root>

  private constructor(database: Database<Root>, connection: Connection<Root>) {
    this.database = database
    this.connection = connection
  }

  static async start<Root extends Persistent>(
    createRoot: () => Root,
    classes: readonly PersistentClass[],
    options: ConnectionOptions = {},
  ): Promise<Session<Root>> {
    const database = await databaseOf(createRoot, classes, options)
    return new Session(database, await database.connect())
  }

  get root(): Root {
    return this.connection.root
  }

  /** `reload` commits and goes on with a connection that has nothing in its cache. */
  async take(turn: Turn): Promise<void> {
    if (turn === 'abort') {
      this.connection.abort()
      return
    }
    await this.connection.commit()
    if (turn === 'commit') return
    await this.connection.close()
    this.connection = await this.database.connect()
  }

  async close(): Promise<void> {
    await this.database.close()
  }
}
