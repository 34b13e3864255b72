/** One step of a transaction: an append of a value that is appended nowhere else, or what a list was seen to hold. */
export type Operation =
  | { readonly kind: 'append'; readonly list: string; readonly value: number }
  | { readonly kind: 'read'; readonly list: string; readonly values: readonly number[] }

/**
 * How a transaction ended: `aborted` ones have surely not happened; of `unknown` ones nobody can tell, as when the
 * process was killed before the answer came.
 */
export type Outcome = 'committed' | 'aborted' | 'unknown'

/** What one transaction did and saw, as its client has recorded it. */
export interface Transaction {
  readonly name: string
  readonly operations: readonly Operation[]
  readonly outcome: Outcome
  /** Reading of a clock that all clients share, taken before the first operation. */
  readonly began: number
  /** The same after the client knew the outcome. */
  readonly ended: number
}

/** In no particular order. The last one to begin should read every list, so that lost appends show. */
export type History = readonly Transaction[]

/** The first letters of an anomaly tell its family; those of Adya begin with G. */
export type AnomalyKind =
  /** A transaction did not see its own appends, or one list in two states. */
  | 'internal'
  /** A value was read that nobody appended. */
  | 'garbage'
  /** A value was read twice in one list. */
  | 'duplicate'
  /** Two reads of a list, neither of which is the beginning of the other. */
  | 'incompatible-order'
  /** A committed append is missing from the longest state of its list. */
  | 'lost-append'
  /** An aborted transaction's append was read. */
  | 'G1a'
  /** A list was read in a state that its writer went on to change. */
  | 'G1b'
  /** A cycle of write-write dependencies. */
  | 'G0'
  /** A cycle of write-write and write-read dependencies. */
  | 'G1c'
  /** A cycle with one read-write dependency: a read that is skewed in time. */
  | 'G-single'
  /** A cycle with several read-write dependencies, none of which follows another: not even snapshots allow it. */
  | 'G-nonadjacent'
  /** A cycle with two read-write dependencies in succession: write skew, the price of snapshot isolation. */
  | 'G2'

/** Something in a history that a serial execution could not have shown. */
export interface Anomaly {
  readonly kind: AnomalyKind
  /** A cycle that only closes because one transaction had ended before another one began. */
  readonly realTime: boolean
  readonly message: string
}
