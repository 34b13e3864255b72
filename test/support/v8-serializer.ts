import v8 from 'node:v8'
import { Reference } from '../../src/core/reference.js'
import type { ReferenceReader, ReferenceWriter, Serializer, State } from '../../src/core/serializer.js'

/** A serializer for tests of what lies above serializers: Node's own, with references written as host objects. */
export class V8Serializer implements Serializer {
  readonly name = 'v8'

  encode(state: State, references: ReferenceWriter): Uint8Array {
    const serializer = new v8.Serializer()
    serializer.writeHeader()
    serializer.writeValue(lower(state, references, new Map()))
    return serializer.releaseBuffer()
  }

  decode(bytes: Uint8Array, references: ReferenceReader): State {
    const deserializer = new v8.Deserializer(Uint8Array.from(bytes))
    deserializer.readHeader()
    return raise(deserializer.readValue(), references, new Map()) as State
  }
}

/** What stands for the reference at a position: no state in a test holds such a thing itself. */
const TAG = '\u0000reference'

function lower(value: unknown, references: ReferenceWriter, copies: Map<object, object>): unknown {
  if (value instanceof Reference) return { [TAG]: references.position(value) }
  return copy(value, copies, (item) => lower(item, references, copies))
}

function raise(value: unknown, references: ReferenceReader, copies: Map<object, object>): unknown {
  const position = (value as { [TAG]?: number } | null | undefined)?.[TAG]
  if (position !== undefined) return references.at(position)
  return copy(value, copies, (item) => raise(item, references, copies))
}

function copy(value: unknown, copies: Map<object, object>, convert: (value: unknown) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  if (value instanceof Map) {
    const map = new Map<unknown, unknown>()
    copies.set(value, map)
    for (const [key, item] of value) map.set(convert(key), convert(item))
    return map
  }
  if (value instanceof Set) {
    const set = new Set<unknown>()
    copies.set(value, set)
    for (const item of value) set.add(convert(item))
    return set
  }
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return value
  const target: Record<string, unknown> = Array.isArray(value) ? (new Array(value.length) as never) : {}
  copies.set(value, target)
  for (const [key, item] of Object.entries(value)) target[key] = convert(item)
  return target
}
