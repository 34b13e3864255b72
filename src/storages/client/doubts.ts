import { PerdureError } from '../../core/errors.js'
import type { Oid, Tid } from '../../core/oid.js'
import type { Exchange } from './exchange.js'

/** A transaction that was stored, or not. */
interface Doubt {
  readonly base: Tid
  readonly token: Uint8Array
  /** What it has written. */
  readonly oids: readonly Oid[]
}

/**
 * Transactions that were left in doubt. If one was stored after all, the objects that it has made exist, and may be
 * changed: so the server is asked once more, before they can be read.
 */
export class Doubts {
  #doubts: readonly Doubt[] = []

  /** A commit has failed; whatever the reason is, it is not thrown here. */
  note(error: unknown, base: Tid, oids: readonly Oid[]): void {
    if (!(error instanceof PerdureError) || error.code !== 'PERDURE_IN_DOUBT') return
    const token = Buffer.from(String(error.details['token']), 'hex')
    this.#doubts = [...this.#doubts, { base, token, oids }]
  }

  /**
   * Asks about each, blocking the thread, and only once: what the server does not know now it will not know later. If
   * the connection is lost meanwhile, the rest waits for another one.
   *
   * @param onStored hears which objects exist
   */
  settle(exchange: Exchange, onStored: (oids: readonly Oid[]) => void): void {
    while (this.#doubts.length > 0 && exchange.connection !== 0) {
      const [{ base, token, oids }, ...others] = this.#doubts as readonly [Doubt, ...Doubt[]]
      try {
        const { outcome } = exchange.askNow<'outcome'>({ type: 'outcome', token, base })
        if (outcome === 'committed') onStored(oids)
      } catch (error) {
        if ((error as PerdureError).code === 'PERDURE_DISCONNECTED') return
        // They stay objects that may belong to somebody else, and cannot be stored.
      }
      this.#doubts = others
    }
  }
}
