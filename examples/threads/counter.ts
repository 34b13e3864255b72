import { Persistent, type Root } from 'perdure'

/** Something counted by every thread. */
export class Counter extends Persistent {
  count = 0
}

/** The root object: counters by name. */
export type Counters = Root<Record<string, Counter>>

export const NAMES = ['apples', 'pears', 'plums', 'quinces']

/** What a worker is started with. */
export interface Work {
  /** Made by `db.share()`. */
  readonly handle: object
  readonly increments: number
}

/** What a worker says when it is done. */
export interface Done {
  /** Commits refused because another thread had changed the same counter; each was tried again. */
  readonly repeated: number
}
