import type { Role } from './protocol/messages.js'

/** Who is at the other end. */
export interface Identity {
  /** The name that commits are stored under; '' for somebody nobody knows. */
  readonly user: string
  readonly role: Role
}

/** What is known of a connection before anybody has said who they are. */
export interface PeerContext {
  /** Address, for messages and logs: `127.0.0.1:51234`, or the path of a Unix socket. */
  readonly peer: string
  /** What ties an exchange to this one TLS connection (RFC 9266): `tls-exporter` and its bytes. */
  readonly channelBinding?: { readonly type: string; readonly data: Uint8Array }
  /** Subject's common name of the client's certificate, if it has shown one that was accepted. */
  readonly certificateName?: string
}

/** What follows a message of the client: another challenge, or the end. */
export type ExchangeStep =
  | { readonly challenge: Uint8Array; readonly user?: undefined }
  /** `data` is the server's last message, if the mechanism has one: the client sees it before it is welcome. */
  | (Identity & { readonly data?: Uint8Array; readonly challenge?: undefined })

/** One exchange of a SASL mechanism (RFC 4422). */
export interface Exchange {
  /**
   * Takes the client's next message.
   *
   * @throws PerdureError `PERDURE_AUTHENTICATION`, with a message that tells a stranger nothing; the connection is
   *   closed then. Why it was refused goes to the log as the error's `cause`.
   */
  step(data: Uint8Array): ExchangeStep | Promise<ExchangeStep>
}

/** Says who may connect. One serves all connections of a server. */
export interface Authenticator {
  /** Names of the SASL mechanisms offered to this peer, the best first. */
  mechanisms(context: PeerContext): readonly string[]

  /** Who somebody is without an exchange: by certificate, or because strangers are let in; undefined to ask. */
  identify(context: PeerContext): Identity | undefined

  /**
   * Begins an exchange with one of the {@link mechanisms}.
   *
   * @throws PerdureError `PERDURE_AUTHENTICATION`
   */
  begin(mechanism: string, context: PeerContext): Exchange
}

/** Lets everybody in with one role, under the name of their certificate if they have shown one. */
export function anonymous(role: Role): Authenticator {
  return {
    mechanisms: () => [],
    identify: ({ certificateName = '' }) => ({ user: certificateName, role }),
    begin: () => {
      throw new TypeError('Nobody is asked who lets everybody in.')
    },
  }
}
