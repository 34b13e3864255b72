import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type Address, formatAddress } from '../address.js'
import { tlsExporter } from '../auth/channel-binding.js'
import { BINDING_TYPE } from '../auth/scram-messages.js'
import type { PeerContext } from '../authentication.js'

/**
 * What is known of whoever is at the other end of an accepted socket.
 *
 * @param listener where it came in
 * @returns undefined if the connection is over already
 */
export function peerContext(socket: Socket, listener: Address): PeerContext | undefined {
  const peer = peerName(socket, listener)
  if (!(socket instanceof TLSSocket)) return { peer }
  try {
    const channelBinding = { type: BINDING_TYPE, data: tlsExporter(socket) }
    const name: unknown = socket.authorized ? socket.getPeerCertificate().subject?.CN : undefined
    return { peer, channelBinding, ...(typeof name === 'string' && { certificateName: name }) }
  } catch {
    return undefined // A socket that is closed has no keys any more.
  }
}

/** Clients of a Unix socket have no address of their own. */
function peerName({ remoteAddress, remotePort }: Socket, listener: Address): string {
  if (listener.kind === 'unix') return formatAddress(listener)
  return remoteAddress?.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`
}
