import type { PackResult } from '../core/storage.js'

/** Of every event that belongs to a session. */
export interface SessionFields {
  /** Counts the connections of a server, from 1. */
  readonly session: number
  readonly peer: string
}

/** What a server reports. Errors stand in it as they were caught, with their causes. */
export type ServerEvent =
  | ({ readonly event: 'connected' } & SessionFields)
  /** Nobody was let in: too many connections, an unknown protocol, no handshake in time. */
  | { readonly event: 'refused'; readonly peer: string; readonly error: Error }
  | ({
      readonly event: 'welcomed'
      readonly protocol: 1 | 2
      readonly user: string
      readonly role: string
      readonly agent: string
    } & SessionFields)
  | ({ readonly event: 'authenticationFailed'; readonly mechanism: string; readonly error: Error } & SessionFields)
  | ({
      readonly event: 'disconnected'
      /** Why: undefined if the client took its leave. */
      readonly error: Error | undefined
      /** Undefined if the client was not let in. */
      readonly user: string | undefined
      readonly protocol: 1 | 2 | undefined
      readonly commits: number
      readonly conflicts: number
      readonly durationMs: number
      readonly bytesIn: number
      readonly bytesOut: number
    } & SessionFields)
  | ({
      readonly event: 'committed'
      readonly user: string
      readonly tid: number
      readonly records: number
      readonly durationMs: number
    } & SessionFields)
  | ({ readonly event: 'conflict'; readonly user: string; readonly conflicts: number } & SessionFields)
  /** A request failed for a reason that is not the client's fault. */
  | ({ readonly event: 'requestFailed'; readonly request: string; readonly error: Error } & SessionFields)
  | ({
      readonly event: 'packed'
      readonly user: string
      readonly result: PackResult
      readonly durationMs: number
    } & SessionFields)
  | ({
      readonly event: 'packFailed'
      readonly user: string
      readonly error: Error
      readonly durationMs: number
    } & SessionFields)
  | ({ readonly event: 'stopRequested'; readonly user: string } & SessionFields)

/** Takes what a server reports. It must not throw, and must not wait. */
export interface ServerLog {
  write(event: ServerEvent): void
}

/** For servers that nobody watches. */
export const SILENT: ServerLog = { write: () => {} }
