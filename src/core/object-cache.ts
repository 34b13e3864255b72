import type { Header } from './header.js'
import type { Oid } from './oid.js'

/**
 * The objects of one connection by oid: at most one header for each, as long as anybody can reach it.
 *
 * The most recently used ones are held strongly, linked into a list from the least to the most recent. One that
 * falls off the list becomes a ghost, if it is unchanged, and from then on is held by a WeakRef only. WeakRefs are
 * made at that moment and not before, since making one keeps its target alive until the end of the current job.
 */
export class ObjectCache {
  readonly #entries = new Map<Oid, Header | WeakRef<Header>>()
  #capacity: number
  #length = 0
  #oldest: Header | undefined
  #newest: Header | undefined
  #sweepAt = 1024

  /** @param capacity how many objects are held strongly */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get capacity(): number {
    return this.#capacity
  }

  set capacity(capacity: number) {
    this.#capacity = capacity
    this.#shrink()
  }

  /** How many objects are held strongly, ghosts included. */
  get size(): number {
    return this.#length
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  find(oid: Oid): Header | undefined {
    const entry = this.#entries.get(oid)
    return entry instanceof WeakRef ? entry.deref() : entry
  }

  /** Adds an object that has an oid, as the most recently used one. */
  add(header: Header): void {
    this.#entries.set(header.oid, header)
    this.#append(header)
    this.#shrink()
    if (this.#entries.size > this.#sweepAt) this.#sweep()
  }

  /** Adds many, the most recently used one last. Those that would fall off the list at once are never put on it. */
  addAll(headers: readonly Header[]): void {
    const first = Math.max(0, headers.length - this.#capacity)
    for (let i = 0; i < first; i++) this.#release(headers[i] as Header)
    for (let i = first; i < headers.length; i++) this.add(headers[i] as Header)
  }

  /** Marks an object as the most recently used one. */
  use(header: Header): void {
    if (header === this.#newest) return
    if (this.#isListed(header)) this.#unlink(header)
    else this.#entries.set(header.oid, header)
    this.#append(header)
    this.#shrink()
  }

  /** Makes a ghost of the object, because its state is no longer the current one. */
  invalidate(oid: Oid): void {
    const header = this.find(oid)
    if (header !== undefined) discardState(header)
  }

  /** Makes ghosts of all, apart from those whose state is newer than any other: the ones being committed. */
  invalidateAll(): void {
    for (const header of this.headers()) if (!header.committing) discardState(header)
  }

  /** Every object that is still in memory. */
  *headers(): Iterable<Header> {
    for (const entry of this.#entries.values()) {
      const header = entry instanceof WeakRef ? entry.deref() : entry
      if (header !== undefined) yield header
    }
  }

  #isListed(header: Header): boolean {
    return header.older !== undefined || header.newer !== undefined || header === this.#newest
  }

  #append(header: Header): void {
    header.older = this.#newest
    header.newer = undefined
    if (this.#newest === undefined) this.#oldest = header
    else this.#newest.newer = header
    this.#newest = header
    this.#length++
  }

  #unlink(header: Header): void {
    const { older, newer } = header
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    header.older = undefined
    header.newer = undefined
    this.#length--
  }

  /** Drops the least recently used objects. Those that the transaction holds anyway leave the list too, with their state. */
  #shrink(): void {
    while (this.#length > this.#capacity && this.#oldest !== this.#newest) {
      const header = this.#oldest as Header
      this.#unlink(header)
      this.#release(header)
    }
  }

  /** Holds the object weakly, without its state. */
  #release(header: Header): void {
    this.#entries.set(header.oid, new WeakRef(header))
    if (!header.changed && !header.committing) evictState(header)
  }

  /** Removes the entries of collected objects. Doubling the limit makes this cost O(1) for each object added. */
  #sweep(): void {
    for (const [oid, entry] of this.#entries) {
      if (entry instanceof WeakRef && entry.deref() === undefined) this.#entries.delete(oid)
    }
    this.#sweepAt = Math.max(1024, this.#entries.size * 2)
  }
}

/** Forgets a state that is no longer current: it must be loaded anew. */
export function discardState(header: Header): void {
  header.forget()
  header.evicted = undefined
  header.lent = false
}

/** Lets go of a current state to save memory, but finds it again while a container inside it is in use. */
function evictState(header: Header): void {
  if (header.lent && header.state !== undefined) header.evicted = new WeakRef(header.state)
  header.forget()
}
