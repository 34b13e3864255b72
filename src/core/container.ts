import { PerdureError } from './errors.js'
import type { Header } from './header.js'

/*
 * Plain arrays, objects, Maps and Sets inside a state are handed to the user behind a Proxy, so that changing them
 * marks the persistent object that they belong to as changed. The state itself holds the raw containers.
 *
 * Invariants. A raw container has one Proxy, so identity is kept. A Proxy holds the state it belongs to, strongly:
 * while anybody holds a container, an evicted object gets back the very state that the container is part of
 * (Header.evicted), so a write through it cannot be lost. If the owner's state has been replaced all the same (by
 * abort, or because another connection changed the object), using the container throws PERDURE_STALE.
 */

const proxies = new WeakMap<object, object>()
const containers = new WeakMap<object, Container>()

/** Gives what the user sees of a value in the state of `header`'s object. */
export type Show = (header: Header, value: unknown) => unknown

/** A persistent object, and the state of it that a container is part of. */
interface Part {
  readonly header: Header
  readonly state: object
}

/** The handler behind a tracked container. */
export abstract class Container {
  readonly raw: object
  /** What the Proxy stands on: the raw container, unless that is frozen. */
  readonly target: object
  /** Given, because what the user sees may be another container. */
  readonly show: Show
  /** Whose container it is. More than one only if the same container was put into several objects. */
  #parts: Part[]

  constructor(header: Header, raw: object, target: object, show: Show) {
    this.raw = raw
    this.target = target
    this.show = show
    // Not `header.state`: following a reference a moment ago may have evicted it.
    this.#parts = [{ header, state: header.read() }]
  }

  /** Belongs to `header`'s object as well. */
  adopt(header: Header): void {
    const [first] = this.#parts
    const state = header.read()
    if (first?.header === header && first.state === state) return
    this.#parts = this.#parts.filter((part) => part.header !== header && part.header.holds(part.state))
    this.#parts.push({ header, state })
  }

  /** Belongs to `to` instead of `from`. */
  move(from: Header, to: Header): void {
    this.#parts = this.#parts.filter((part) => part.header !== from)
    this.#parts.push({ header: to, state: to.read() })
    to.lent = true
  }

  /**
   * Notes that the container is part of the state of `header`'s object, which is about to be stored. Returns the
   * object of another connection that it is part of as well, if there is one.
   */
  claim(header: Header): Header | undefined {
    const elsewhere = this.#parts.find((part) => part.header.owner !== undefined && part.header.owner !== header.owner)
    if (elsewhere === undefined) this.adopt(header)
    return elsewhere?.header
  }

  /** Notes the read and returns the object the container belongs to. */
  read(): Header {
    for (const { header, state } of this.#parts) if (header.read() === state) return header
    throw this.#stale()
  }

  /** Marks every object the container belongs to as changed. */
  write(): void {
    const current = this.#parts.filter(({ header, state }) => header.read() === state)
    if (current.length === 0) throw this.#stale()
    for (const { header } of current) header.write()
  }

  #stale(): PerdureError {
    const { oid, info } = (this.#parts[0] as Part).header
    return new PerdureError(
      'PERDURE_STALE',
      `This container was part of an earlier state of ${info.name} ${oid}, which has been replaced since (by abort, or by another connection's commit). Read it again from the object.`,
      { details: { oid, className: info.name } },
    )
  }
}

/** Makes the one Proxy of a raw container that has none yet. */
export function proxyFor(container: Container & ProxyHandler<object>): object {
  const proxy = new Proxy(container.target, container)
  proxies.set(container.raw, proxy)
  containers.set(proxy, container)
  return proxy
}

/** The Proxy that a raw container has been handed out behind, or undefined. */
export function knownProxy(raw: object): object | undefined {
  return proxies.get(raw)
}

/** The container behind a Proxy, or undefined for any other object. */
export function containerBehind(proxy: object): Container | undefined {
  return containers.get(proxy)
}

/** The container of a raw one that has been handed out, or undefined. */
export function containerOf(raw: object): Container | undefined {
  const proxy = proxies.get(raw)
  return proxy === undefined ? undefined : containers.get(proxy)
}

/** True for the containers that are tracked: arrays, Maps, Sets, and objects without a class. */
export function isContainer(value: object): boolean {
  return Array.isArray(value) || isPlainObject(value) || value instanceof Map || value instanceof Set
}

/** True for objects made by a literal, or without a prototype. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
