import { PerdureError } from './errors.js'

/**
 * What a commit checks before it goes through.
 *
 * - `serializable`: nothing that the transaction read or wrote has been changed by others since its snapshot.
 * - `snapshot`: only what it wrote. Two transactions that each read what the other writes can then both succeed (write skew).
 */
export type Isolation = 'serializable' | 'snapshot'

/** Options of one connection. */
export interface ConnectionOptions {
  /** How many objects the cache holds strongly; 20,000 unless given. Others are kept only as long as the program uses them. */
  readonly cacheSize?: number | undefined
  /** `serializable` unless given. */
  readonly isolation?: Isolation | undefined
  /** Refuses every change with `PERDURE_READONLY`. */
  readonly readonly?: boolean | undefined
}

/** Options of one commit. */
export interface CommitOptions {
  /** A remark kept with the transaction, at most 65,535 bytes of UTF-8. */
  readonly note?: string
  /** Who commits; kept with the transaction. At most 255 bytes of UTF-8. */
  readonly user?: string
}

export const DEFAULT_CACHE_SIZE = 20_000

export function checkCacheSize(size: number): number {
  if (Number.isInteger(size) && size >= 1) return size
  throw new PerdureError('PERDURE_ARGUMENT', `cacheSize is a number of objects, at least 1, not ${size}.`)
}

export function checkIsolation(isolation: Isolation): Isolation {
  if (isolation === 'serializable' || isolation === 'snapshot') return isolation
  throw new PerdureError('PERDURE_ARGUMENT', `isolation is 'serializable' or 'snapshot', not '${String(isolation)}'.`)
}
