import { PerdureError } from './errors.js'
import type { Header } from './header.js'
import { discardState, type ObjectCache } from './object-cache.js'
import { disown } from './object-writer.js'

/** The objects that the running transaction has changed, and what becomes of them when it ends. */
export class ChangeSet {
  #changed = new Set<Header>()
  /** Objects that the commit under way stores for the first time. If it fails, they are nobody's again. */
  #added: readonly Header[] = []
  /** The changes that have been sent to the storage, which has not answered yet. */
  #committing: Set<Header> | undefined

  /** How many objects are changed, and not sent. */
  get size(): number {
    return this.#changed.size
  }

  get headers(): Iterable<Header> {
    return this.#changed
  }

  /**
   * @param action what is not allowed while a commit is under way
   * @param header the object it would be done to, if it is about one
   * @throws PerdureError `PERDURE_BUSY` if one is
   */
  checkSettled(action: string, header?: Header): void {
    if (this.#committing === undefined) return
    const what = header === undefined ? action : `${action} ${header.info.name} ${header.oid}`
    throw new PerdureError('PERDURE_BUSY', `Cannot ${what} while a commit is under way. Await its promise first.`)
  }

  add(header: Header): void {
    header.changed = true
    this.#changed.add(header)
  }

  /** Adds objects that are stored for the first time. They belong to the connection already. */
  addNew(headers: readonly Header[]): void {
    for (const header of headers) this.add(header)
    this.#added = [...this.#added, ...headers]
  }

  /** Drops the changes: the objects are ghosts. */
  discard(): void {
    for (const header of this.#changed) {
      header.changed = false
      discardState(header)
    }
    this.#changed.clear()
  }

  /** The changes are on their way to the storage; until it answers there can be no others. */
  send(): void {
    this.#committing = this.#changed
    this.#changed = new Set()
    for (const header of this.#committing) {
      header.changed = false
      header.committing = true
    }
  }

  /** The storage has taken them: what was added is at home in the cache, and all are its most recently used. */
  accepted(cache: ObjectCache): void {
    const stored = this.#settle(this.#committing as Set<Header>)
    for (const header of this.#added) {
      header.rest()
      stored.delete(header)
    }
    cache.addAll(this.#added)
    for (const header of stored) cache.use(header)
    this.#added = []
  }

  /** The storage has not taken them: they are changes of the running transaction again. */
  refused(): void {
    if (this.#committing === undefined) return
    const refused = this.#settle(this.#committing)
    for (const header of refused) header.changed = true
    for (const header of this.#added) {
      refused.delete(header)
      disown(header)
    }
    this.#added = []
    this.#changed = refused
  }

  #settle(sent: Set<Header>): Set<Header> {
    this.#committing = undefined
    for (const header of sent) header.committing = false
    return sent
  }
}
