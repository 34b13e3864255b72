import { deserialize, serialize } from 'node:v8'
import { Reference } from '../../src/core/reference.js'
import type { ReferenceReader, ReferenceWriter, Serializer, State } from '../../src/core/serializer.js'

class Tag {
  constructor(readonly p: number) {}
}
function map(value: unknown, leaf: (v: object) => unknown, seen = new Map<object, unknown>()): unknown {
  if (typeof value !== 'object' || value === null) return value
  const l = leaf(value)
  if (l !== undefined) return l
  if (seen.has(value)) return seen.get(value)
  if (Array.isArray(value)) {
    const c: unknown[] = new Array(value.length)
    seen.set(value, c)
    for (const k of Object.keys(value)) c[k as never] = map(value[k as never], leaf, seen)
    return c
  }
  if (value instanceof Map) {
    const c = new Map()
    seen.set(value, c)
    for (const [k, v] of value) c.set(map(k, leaf, seen), map(v, leaf, seen))
    return c
  }
  if (value instanceof Set) {
    const c = new Set()
    seen.set(value, c)
    for (const v of value) c.add(map(v, leaf, seen))
    return c
  }
  if (Object.getPrototypeOf(value) === Object.prototype) {
    const c: State = {}
    seen.set(value, c)
    for (const k of Object.keys(value)) c[k] = map((value as State)[k], leaf, seen)
    return c
  }
  return value
}
export const v8Serializer: Serializer = {
  name: 'v8',
  encode: (state: State, refs: ReferenceWriter) =>
    serialize(map(state, (v) => (v instanceof Reference ? { $ref$: refs.position(v) } : undefined))),
  decode: (bytes: Uint8Array, refs: ReferenceReader) =>
    map(deserialize(bytes), (v) => ('$ref$' in v ? refs.at((v as { $ref$: number }).$ref$) : undefined)) as State,
}
void Tag
