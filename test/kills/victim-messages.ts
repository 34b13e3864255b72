import { writeSync } from 'node:fs'
import type { Tid } from '../../src/core/oid.js'
import type { Balance } from './ledger.js'

/** What a victim is to do; its only argument, in JSON. */
export interface VictimOptions {
  readonly path: string
  /** Kind of the storage at the path. Default: `file`. */
  readonly storage?: 'file' | 'sqlite'
  readonly durability: 'fsync' | 'os'
  /** Application threads besides the one that has opened the file. */
  readonly threads: number
  /** Of all threads together; each has a connection of its own. */
  readonly writers: number
  readonly createdAt: Tid
  /** Pack for ever, too. Default false. */
  readonly packing?: boolean
}

/** One line of a victim's output, in JSON. */
export type VictimMessage =
  | { readonly kind: 'ready' }
  | ({ readonly kind: 'opened' } & Balance)
  | { readonly kind: 'packed' }
  | { readonly kind: 'committed'; readonly writer: number; readonly number: number; readonly tid: Tid }

/** Hands a message to the kernel before it returns: a process that is killed afterwards has still said it. */
export function tell(message: VictimMessage): void {
  writeSync(1, `${JSON.stringify(message)}\n`)
}
