import type { Storage } from '../core/storage.js'
import type { Authenticator } from './authentication.js'
import type { ChangeTeller } from './change-teller.js'
import type { CommitGate } from './commit-gate.js'
import type { OutcomeRegister } from './outcome-register.js'
import type { Limits } from './protocol/messages.js'
import type { ServerEvent, SessionFields } from './server-log.js'
import type { ServerStatistics } from './server-statistics.js'
import type { ServerSession, Transport } from './transport.js'
import type { TurnLimit } from './turn-limit.js'

/** What all sessions of a server share. */
export interface SharedServices {
  readonly storage: Storage
  readonly authenticator: Authenticator
  readonly limits: Limits
  readonly statistics: ServerStatistics
  readonly outcomes: OutcomeRegister
  readonly changes: ChangeTeller
  /** All commits pass it, those of protocol 2 through {@link outcomes}. */
  readonly gate: CommitGate
  /** What is sent in bulk keeps to it. */
  readonly turns: TurnLimit
  readonly serverId: string
  readonly databaseId: string
  /** Whether an admin's client, or a Durus client, may end the server. */
  readonly allowStop: boolean
}

/** What a server is to one of its sessions. */
export interface SessionHost {
  readonly services: SharedServices
  /** Counts the connections of the server, from 1. */
  readonly session: number
  /** The client has been let in: the time limit for that no longer counts. */
  welcomed(): void
  /** The connection is to end because of what the client did; counts as a refusal. Shown in the log when it has ended. */
  blame(error: Error): void
  log(event: DistributiveOmit<ServerEvent, keyof SessionFields>): void
  /** Somebody who may has asked the server to end. */
  requestStop(): void
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** Makes the session of a connection that began with the byte of its protocol. */
export type SessionFactory = (transport: Transport, host: SessionHost) => ServerSession
