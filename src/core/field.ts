import { FIELDS, isVolatile } from './class-info.js'
import { PerdureError } from './errors.js'
import { fromStored } from './from-stored.js'
import type { Header } from './header.js'
import { bareHeader, liveSlots, type Persistent } from './persistent.js'
import { toStored } from './to-stored.js'

/**
 * Declares a persistent field on the fast path, for classes whose fields are read very often:
 *
 * ```ts
 * class Account extends Persistent {
 *   @field accessor owner = ''
 *   @field accessor balance = 0
 * }
 * ```
 *
 * A class with such a field is not behind a Proxy, so all its fields must be declared this way. Like every
 * `accessor` they live on the prototype: `Object.keys` does not list them, `JSON.stringify` and console.log do.
 * A field whose name begins with `_v_` is volatile: never stored.
 *
 * @throws PerdureError `PERDURE_CLASS` on static or private accessors
 */
export function field<This extends Persistent, Value>(
  _target: ClassAccessorDecoratorTarget<This, Value>,
  context: ClassAccessorDecoratorContext<This, Value>,
): ClassAccessorDecoratorResult<This, Value> {
  const name = context.name
  if (context.static || context.private || typeof name === 'symbol') {
    throw new PerdureError(
      'PERDURE_CLASS',
      `@field cannot be used on ${String(name)}: it takes public, named instance accessors.`,
    )
  }
  const slot = declare(context.metadata, name)
  const volatile = isVolatile(name)
  return {
    get(this: This): Value {
      const live = liveSlots(this)
      const value = (live === undefined ? (bareHeader(this).read() as unknown[]) : live)[slot]
      if (typeof value !== 'object' || volatile) return value as Value
      return fromStored(bareHeader(this), value) as Value
    },
    set(this: This, value: Value): void {
      assign(bareHeader(this), slot, value, volatile)
    },
    init(this: This, value: Value): Value {
      assign(bareHeader(this), slot, value, volatile)
      return undefined as Value
    },
  }
}

function assign(header: Header, slot: number, value: unknown, volatile: boolean): void {
  if (volatile) {
    ;(header.read() as unknown[])[slot] = value
    return
  }
  const stored = toStored(value)
  const primitive = typeof stored !== 'object' || stored === null
  if (primitive && Object.is((header.read() as unknown[])[slot], stored)) return
  ;(header.write() as unknown[])[slot] = stored
}

/** Adds the field to the class's list, which begins with the fields of its base class, and returns its slot. */
function declare(metadata: DecoratorMetadataObject, name: string): number {
  const holder = metadata as { [FIELDS]?: string[] }
  if (!Object.hasOwn(holder, FIELDS)) holder[FIELDS] = [...(holder[FIELDS] ?? [])]
  const fields = holder[FIELDS] as string[]
  const known = fields.indexOf(name)
  if (known >= 0) return known
  fields.push(name)
  return fields.length - 1
}
