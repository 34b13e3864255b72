import { Container, type Show } from './container.js'
import { HEADER, type Header } from './header.js'
import { toStored } from './to-stored.js'

/** Arrays and plain objects: every property access goes through. */
export class PlainContainer extends Container implements ProxyHandler<object> {
  readonly #frozen: boolean

  constructor(header: Header, raw: object, show: Show) {
    // A Proxy must report the properties of a frozen target as they are, so it could not show tracked values.
    const frozen = !Object.isExtensible(raw)
    super(header, raw, frozen ? thawed(raw) : raw, show)
    this.#frozen = frozen
  }

  get(target: object, key: string | symbol, receiver: unknown): unknown {
    if (key === HEADER) return undefined
    const header = this.read()
    const value: unknown = Reflect.get(target, key, receiver)
    return typeof value === 'object' ? this.show(header, value) : value
  }

  has(target: object, key: string | symbol): boolean {
    this.read()
    return Reflect.has(target, key)
  }

  ownKeys(target: object): (string | symbol)[] {
    this.read()
    return Reflect.ownKeys(target)
  }

  getOwnPropertyDescriptor(target: object, key: string | symbol): PropertyDescriptor | undefined {
    const header = this.read()
    const descriptor = Reflect.getOwnPropertyDescriptor(target, key)
    if (descriptor !== undefined && 'value' in descriptor) descriptor.value = this.show(header, descriptor.value)
    return descriptor
  }

  set(target: object, key: string | symbol, value: unknown): boolean {
    if (this.#frozen) return false
    this.write()
    return Reflect.set(target, key, toStored(value))
  }

  defineProperty(target: object, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    if (this.#frozen) return false
    this.write()
    return Reflect.defineProperty(
      target,
      key,
      'value' in descriptor ? { ...descriptor, value: toStored(descriptor.value) } : descriptor,
    )
  }

  deleteProperty(target: object, key: string | symbol): boolean {
    if (this.#frozen) return false
    this.write()
    return Reflect.deleteProperty(target, key)
  }

  preventExtensions(): boolean {
    return false
  }
}

function thawed(raw: object): object {
  return Array.isArray(raw) ? raw.slice() : Object.defineProperties({}, Object.getOwnPropertyDescriptors({ ...raw }))
}
