import type { AddressLike } from '../../src/server/address.js'
import type { Limits, Role } from '../../src/server/index.js'

/** What a server is to serve, and where. */
export interface ServeRequest {
  readonly type: 'serve'
  readonly id: number
  /** A path; undefined for a MemoryStorage. */
  readonly path?: string | undefined
  readonly serializer?: string
  readonly durability?: 'fsync' | 'os'
  /** Default: any free port. */
  readonly address?: AddressLike
  readonly role?: Role
  readonly databaseId?: string
  readonly limits?: Partial<Limits>
  /** Clients reach it by way of a detour on which every byte travels alone. */
  readonly splits?: boolean
}

/** From a test to the process with its servers. Each is answered. */
export type ToServers =
  | ServeRequest
  /** Stops the server with this number, and closes its storage. */
  | { readonly type: 'stop'; readonly id: number; readonly server: number }

export interface FromServers {
  readonly id: number
  readonly server?: number
  /** URL at which the server is reached. */
  readonly url?: string
  readonly error?: string
}
