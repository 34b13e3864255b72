import { PerdureError } from '../../core/errors.js'
import type { Capability } from '../../core/storage.js'
import type { Welcome } from '../../server/protocol/messages.js'

/** What a server's storage may be able to do and a client can ask for; the rest belongs to the server's process. */
const REMOTE: readonly Capability[] = ['persistent', 'durable', 'history']

/** The same, for clients that may manage the database. */
const MANAGED: readonly Capability[] = ['pack', 'verify']

/** What a client can do with the storage behind a server. */
export function capabilitiesOf({ role, capabilities }: Welcome): ReadonlySet<Capability> {
  const possible = role === 'admin' ? [...REMOTE, ...MANAGED] : REMOTE
  return new Set(possible.filter((name) => capabilities.includes(name)))
}

/** Who the server is, from one connection to the next. */
export class ServerSession {
  readonly #location: string
  readonly #onRestart: () => void
  #welcome: Welcome | undefined
  #serverId = ''
  #epoch = 0

  /** @param onRestart called when another process has taken over from the one that served so far */
  constructor(location: string, onRestart: () => void) {
    this.#location = location
    this.#onRestart = onRestart
  }

  /** What the server said of itself when the first connection began. */
  get welcome(): Welcome {
    if (this.#welcome === undefined) throw new Error('There has been no connection.')
    return this.#welcome
  }

  /** Grows each time the server was started anew. */
  get epoch(): number {
    return this.#epoch
  }

  /**
   * A connection has begun.
   *
   * @throws PerdureError `PERDURE_CLOSED` if there is another database at the address now
   */
  begin(welcome: Welcome): void {
    const first = this.#welcome
    if (first === undefined) {
      this.#welcome = welcome
      this.#serverId = welcome.serverId
      return
    }
    const { serverId, databaseId } = welcome
    if (serverId === this.#serverId) return
    if (databaseId === '' || databaseId !== first.databaseId) {
      throw databaseReplaced(this.#location, 'There is another one at the address now.')
    }
    this.#epoch++
    this.#serverId = serverId
    this.#onRestart()
  }
}

/** Nothing that was read so far can be trusted any more. */
export function databaseReplaced(location: string, how: string): PerdureError {
  return new PerdureError(
    'PERDURE_CLOSED',
    `The database at ${location} is not the one that was opened. ${how} Close it and open it again.`,
    { details: { path: location, peer: location } },
  )
}
