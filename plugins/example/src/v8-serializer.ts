import { deserialize, serialize } from 'node:v8'
import { PerdureError } from 'perdure'
import { Reference, type ReferenceReader, type ReferenceWriter, type Serializer, type State } from 'perdure/serializers'

/**
 * The format of V8's structured clone. It knows every type a state may hold but references; these go as DataViews,
 * the one built-in type that no state holds, with the reference's position inside.
 *
 * It trusts its bytes, so use it only for databases that nobody else can write to.
 */
export const v8: Serializer = {
  name: 'v8',

  encode(state: State, references: ReferenceWriter): Uint8Array {
    return serialize(replaced(state, new Map(), (value) => outward(value, references)))
  },

  decode(bytes: Uint8Array, references: ReferenceReader): State {
    try {
      // A copy, because V8 makes typed arrays that look into the bytes they came from.
      const state: unknown = deserialize(Uint8Array.from(bytes))
      return replaced(state, new Map(), (value) => inward(value, references)) as State
    } catch (cause) {
      if (cause instanceof PerdureError) throw cause
      throw new PerdureError('PERDURE_DECODE', `Not a state in the format v8: ${(cause as Error).message}`, { cause })
    }
  },
}

/** Returns what stands for a value that is no container, or undefined for one that may be taken as it is. */
type Replace = (value: object) => object | undefined

function outward(value: object, references: ReferenceWriter): object | undefined {
  if (value instanceof Reference) return new DataView(Uint32Array.of(references.position(value)).buffer)
  // V8 would give a Buffer back as a Buffer.
  return Buffer.isBuffer(value) ? new Uint8Array(value) : undefined
}

function inward(value: object, references: ReferenceReader): object | undefined {
  if (value instanceof DataView) return references.at(value.getUint32(0, true))
  // Several views may have come to share the one buffer that was decoded.
  return ArrayBuffer.isView(value) ? (value as Uint8Array).slice() : undefined
}

/** A copy of the containers in which every value is replaced. Values that occur twice occur twice in the copy. */
function replaced(value: unknown, copies: Map<object, object>, replace: Replace): unknown {
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value) ?? replace(value)
  if (known !== undefined) {
    copies.set(value, known)
    return known
  }
  const next = (inner: unknown) => replaced(inner, copies, replace)
  if (Array.isArray(value)) return fill(value, new Array(value.length), copies, next)
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>()
    copies.set(value, copy)
    for (const [key, inner] of value) copy.set(next(key), next(inner))
    return copy
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>()
    copies.set(value, copy)
    for (const inner of value) copy.add(next(inner))
    return copy
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? fill(value, {}, copies, next) : value
}

/** Property by property, so that holes in arrays stay holes, and `__proto__` is a key like any other. */
function fill(from: object, to: object, copies: Map<object, object>, next: (inner: unknown) => unknown): object {
  copies.set(from, to)
  for (const [key, inner] of Object.entries(from)) {
    Object.defineProperty(to, key, { value: next(inner), writable: true, enumerable: true, configurable: true })
  }
  return to
}
