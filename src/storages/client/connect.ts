import { PerdureError } from '../../core/errors.js'
import { type AddressLike, formatAddress, parseAddress } from '../../server/address.js'
import type { BridgeStarter } from '../../workers/sync-bridge.js'
import {
  type ClientStorageOptions,
  type ClientStorageSettings,
  checkClientOptions,
  findPassword,
} from './client-options.js'
import type { ClientHandle } from './client-snapshot.js'
import { Exchange } from './exchange.js'
import { OidReserve } from './oid-reserve.js'
import { ReadAhead } from './read-ahead.js'
import { ServerSession } from './server-session.js'
import { SharedRecords } from './shared-records.js'

/** What a ClientStorage is made of. */
export interface ClientParts {
  /** The server's address as a URL. */
  readonly location: string
  readonly settings: ClientStorageSettings
  readonly exchange: Exchange
  readonly handle: ClientHandle
  readonly oids: OidReserve
  /** It has been begun: the server has said who it is. */
  readonly session: ServerSession
}

/**
 * Connects to a server, and puts the parts together that depend on each other.
 *
 * @throws PerdureError as `ClientStorage.connect` does
 */
export async function connectParts(
  address: AddressLike,
  options: ClientStorageOptions,
  start: BridgeStarter | undefined,
): Promise<ClientParts> {
  const settings = checkClientOptions(options)
  const parsed = parseAddress(address)
  const location = formatAddress(parsed)
  if (options.tls !== undefined && !(parsed.kind === 'tcp' && parsed.tls)) {
    throw new PerdureError('PERDURE_ARGUMENT', `The option tls is of no use for ${location}: write perdure+tls://`)
  }
  const oids = new OidReserve()
  const readAhead = new ReadAhead(settings.cacheBytes > 0)
  const records = new SharedRecords(settings.cacheBytes, () => readAhead.used())
  const session = new ServerSession(location, () => oids.serverRestarted())
  const exchange = new Exchange(
    { address: parsed, tls: settings.tls, user: options.user, password: await findPassword(options) },
    { location, timeoutMs: settings.timeoutMs },
    {
      welcomed: (welcome, connection) => {
        session.begin(welcome)
        handle.connection = connection
        records.restart()
      },
      changed: (notice) => records.changed(notice),
    },
    start,
  )
  const handle: ClientHandle = { location, exchange, records, readAhead, connection: 0, closed: false, loads: 0 }
  try {
    await exchange.connected(settings.connectTimeoutMs)
    return { location, settings, exchange, handle, oids, session }
  } catch (error) {
    await exchange.close()
    throw error
  }
}
