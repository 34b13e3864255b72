import type { SessionFactory } from '../session-host.js'
import { type Protocol1Options, Protocol1Service } from './service.js'
import { Protocol1Session } from './session.js'

/** The first byte of a Durus client. */
export const PROTOCOL_1_FIRST_BYTE = 0x56

/** Makes the sessions of all Durus clients of one server. */
export function protocol1(options: Protocol1Options): SessionFactory {
  const service = new Protocol1Service(options)
  return (transport, host) => new Protocol1Session(service, transport, host)
}
