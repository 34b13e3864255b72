import type { ClassInfo } from './class-info.js'
import type { Oid } from './oid.js'
import { NO_OID, type Reference } from './reference.js'

/** What an object's header asks of the connection that the object belongs to. */
export interface ObjectOwner {
  /** Grows with each transaction of the connection. */
  readonly transaction: number

  /** Loads the state if it is not there, notes the read, and awakens the header until the transaction ends. */
  touch(header: Header): void

  /** Called before the first change of an object in a transaction. Sets `header.changed`, or throws if writing is not allowed now. */
  willChange(header: Header): void

  /** The object a reference points to, as a ghost if it is not in the cache. */
  follow(reference: Reference): object
}

/**
 * The hidden part of a persistent object: who it is, whose it is, and its state.
 *
 * Invariants. `state === undefined` means ghost. `live` is the state from the moment the running transaction has
 * loaded it and noted the read until the transaction ends or the object is evicted, and undefined otherwise: so one
 * comparison guards every access. `changed` and `committing` imply that the state is loaded, since the storage does
 * not have it yet. An object that belongs to nobody is always live.
 */
export class Header {
  readonly info: ClassInfo
  /** What the user holds: the instance itself, or the Proxy that stands for it. Set once, right after creation. */
  object!: object
  /** The one reference that stands for this object in the states that were changed in memory. */
  reference: Reference | undefined
  oid: Oid = NO_OID
  owner: ObjectOwner | undefined
  live: object | undefined
  /** The state differs from what is stored; the owner, if there is one, will commit or abort it. */
  changed = true
  /** The state has been sent to the storage, which has not answered yet: it may be neither changed nor evicted. */
  committing = false
  /** The stored fields. Its shape is the class's business: see {@link ClassInfo.toState} and `fromState`. */
  state: object | undefined
  /** Remembers an evicted state for as long as somebody holds a container inside it. See container.ts. */
  evicted: WeakRef<object> | undefined
  /** True if containers inside the current state have been handed out. */
  lent = false
  /** Neighbours in the cache's list from the least to the most recently used. */
  older: Header | undefined
  newer: Header | undefined

  constructor(info: ClassInfo) {
    this.info = info
  }

  /** The state, loaded and noted as read. */
  read(): object {
    return this.live ?? this.#touch()
  }

  /** The state, about to be changed. Only what this returns may be changed: an earlier `read()` may have been evicted since. */
  write(): object {
    const state = this.live ?? this.#touch()
    if (!this.changed) this.owner?.willChange(this)
    return state
  }

  /** Lets accesses go straight to the state. */
  awaken(): void {
    this.live = this.state
  }

  /** Makes the next access ask the owner first. */
  rest(): void {
    this.live = undefined
  }

  #touch(): object {
    this.owner?.touch(this)
    return this.live as object
  }

  /** True if `state` is the object's state, loaded or evicted. */
  holds(state: object): boolean {
    return this.state === state || this.evicted?.deref() === state
  }

  /** Takes the state away: the object is a ghost. */
  forget(): void {
    this.state = undefined
    this.rest()
  }
}

/** The property under which every persistent object answers with its {@link Header}, without being loaded. */
export const HEADER: unique symbol = Symbol('perdure.header')

/** The header of a persistent object, or undefined for any other object. */
export function headerOf(value: object): Header | undefined {
  return (value as { [HEADER]?: Header })[HEADER]
}
