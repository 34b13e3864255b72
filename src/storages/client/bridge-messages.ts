import type { PackedError } from '../../core/errors.js'
import type { Address } from '../../server/address.js'
import type { Welcome } from '../../server/protocol/messages.js'
import type { ClientTlsOptions } from './client-options.js'

/*
 * What the application's thread and the thread with the socket say to each other. Connections are numbered from 1 by
 * the application's thread; what belongs to an earlier one than the newest is of no interest any more.
 */

/** What the socket's thread knows from the beginning. */
export interface BridgeSettings {
  readonly address: Address
  readonly tls: ClientTlsOptions
  readonly user: string | undefined
  readonly password: string | undefined
  /** Memory of a {@link Backlog}. */
  readonly backlog: Int32Array
}

export type ToBridge =
  /** Connects and introduces itself, again and again for up to `limitMs`. Answered by `connected` or `failed`. */
  | { readonly type: 'connect'; readonly connection: number; readonly limitMs: number }
  | { readonly type: 'send'; readonly connection: number; readonly bytes: Uint8Array }
  /** Closes the connection at once. Not answered. */
  | { readonly type: 'drop'; readonly connection: number }
  /** What the socket's thread was waiting for has been consumed. */
  | { readonly type: 'resume' }
  /** Sends the bytes, if there is a connection, and ends. */
  | { readonly type: 'end'; readonly bytes: Uint8Array }

export type FromBridge =
  | { readonly type: 'connected'; readonly connection: number; readonly welcome: Welcome }
  | { readonly type: 'failed'; readonly connection: number; readonly error: PackedError }
  /** Bytes of frames, cut anywhere. */
  | { readonly type: 'received'; readonly connection: number; readonly bytes: Uint8Array }
  /** There was a connection, and is none any more. */
  | { readonly type: 'lost'; readonly connection: number; readonly error: PackedError }

/** So many bytes may be on their way to the application's thread before the socket's thread stops reading. */
export const BACKLOG_BYTES = 16 * 1024 * 1024

const CONSUMED = 0
const PAUSED = 1
export const BACKLOG_WORDS = 2

/** Counts, in shared memory, what has been received and not yet consumed, so that a busy application bounds its memory. */
export class Backlog {
  readonly #words: Int32Array
  /** Used by the socket's thread alone. */
  #received = 0

  constructor(words: Int32Array) {
    this.#words = words
  }

  /** By the socket's thread. True if it has to stop reading until `resume` comes. */
  received(bytes: number): boolean {
    this.#received = (this.#received + bytes) | 0
    if (!this.#isFull()) return false
    Atomics.store(this.#words, PAUSED, 1)
    // What was consumed before the word was set has not been told of.
    return this.#isFull() || Atomics.exchange(this.#words, PAUSED, 0) === 0
  }

  /** By the application's thread. True if `resume` is to be sent. */
  consumed(bytes: number): boolean {
    Atomics.add(this.#words, CONSUMED, bytes)
    return Atomics.load(this.#words, PAUSED) === 1 && Atomics.exchange(this.#words, PAUSED, 0) === 1
  }

  /** Numbers of 32 bits wrap around; their difference does not. */
  #isFull(): boolean {
    return ((this.#received - Atomics.load(this.#words, CONSUMED)) | 0) > BACKLOG_BYTES
  }
}
