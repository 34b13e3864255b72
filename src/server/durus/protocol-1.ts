import type { SessionFactory } from '../session-host.js'
import { COMMAND } from './format.js'
import type { Protocol1Service } from './service.js'
import { Protocol1Session } from './session.js'

/**
 * Makes the sessions of all Durus clients of one server, by the first byte of their connections: `V`, and `Q` of the
 * command that stops a server, which says nothing else.
 */
export function protocol1(service: Protocol1Service): Map<number, SessionFactory> {
  const factory: SessionFactory = (transport, host) => new Protocol1Session(service, transport, host)
  return new Map([COMMAND.version, COMMAND.quit].map((first) => [first, factory]))
}
