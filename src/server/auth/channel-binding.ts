import type { TLSSocket } from 'node:tls'

/**
 * What only the two ends of this TLS 1.3 connection know: the channel binding `tls-exporter` (RFC 9266). Somebody who
 * ends the client's TLS connection and begins another one to the server has different bytes on either side.
 */
export function tlsExporter(socket: TLSSocket): Buffer {
  return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
}
