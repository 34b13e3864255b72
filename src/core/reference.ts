import { type InspectOptions, inspect } from 'node:util'
import type { Oid } from './oid.js'

/** The oid of an object that has not been given one yet. */
export const NO_OID: Oid = -1

/**
 * A reference from one state to a persistent object. It is what stands in a stored state in place of the object,
 * so a state can be decoded without touching, or even knowing the classes of, the objects it refers to.
 *
 * `object` is filled in when the reference is first followed.
 */
export class Reference {
  oid: Oid
  className: string
  object: object | undefined

  constructor(oid: Oid, className: string, object?: object) {
    this.oid = oid
    this.className = className
    this.object = object
  }

  /** console.log sees through the Proxies of containers, down to the reference; it shall show the object. */
  [inspect.custom](depth: number | null, options: InspectOptions, show: typeof inspect): string {
    return this.object === undefined ? `${this.className}(${this.oid})` : show(this.object, { ...options, depth })
  }
}
