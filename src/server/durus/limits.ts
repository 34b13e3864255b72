/** What a client of protocol 1 may do, and how long it may take. */
export interface Protocol1Limits {
  /** How long it may be silent in the middle of a request, or take nothing of an answer, in ms. */
  readonly silenceMs: number
  /** How long it may keep others from committing, from the list of changes to the last byte of its transaction, in ms. */
  readonly commitMs: number
  /** How long it waits for another one that is about to make the root, in ms. */
  readonly rootMs: number
  /** A transaction, in bytes; each of its objects counts {@link WRITE_OVERHEAD_BYTES} more. */
  readonly transactionBytes: number
  /** Objects in one bulk load. */
  readonly bulkOids: number
  /** Oids that it has been given and has not stored. */
  readonly unusedOids: number
}

export const DEFAULT_PROTOCOL_1_LIMITS: Protocol1Limits = {
  silenceMs: 10_000,
  commitMs: 60_000,
  rootMs: 2_000,
  transactionBytes: 512 * 1024 * 1024,
  bulkOids: 1_048_576,
  unusedOids: 1_048_576,
}

/** What one object of a transaction takes in memory, besides its bytes. */
export const WRITE_OVERHEAD_BYTES = 256
