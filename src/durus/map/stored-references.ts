import { Reference } from '../../core/reference.js'
import { MAX_DEPTH, type State } from '../../core/serializer.js'

/**
 * The references in a state, each once.
 *
 * @param refuse makes an error of what can not be stored
 */
export function storedReferences(state: State, refuse: (what: string) => Error): Reference[] {
  const references = new Set<Reference>()
  const seen = new Set<object>()

  const visit = (value: unknown, depth: number): void => {
    if (typeof value === 'function' || typeof value === 'symbol') throw refuse(`a ${typeof value}`)
    if (typeof value !== 'object' || value === null) return
    if (value instanceof Reference) {
      references.add(value)
      return
    }
    if (seen.has(value) || value instanceof Date || ArrayBuffer.isView(value)) return
    seen.add(value)
    if (depth > MAX_DEPTH) throw refuse(`nested more than ${MAX_DEPTH} levels deep`)
    for (const part of partsOf(value)) visit(part, depth + 1)
  }

  const partsOf = (value: object): Iterable<unknown> => {
    switch (Object.getPrototypeOf(value)) {
      case Array.prototype:
      case Set.prototype:
        return value as Iterable<unknown>
      case Map.prototype:
        return [...(value as Map<unknown, unknown>)].flat(1)
      case Object.prototype:
      case null:
        return Object.values(value)
      case RegExp.prototype:
      case ArrayBuffer.prototype:
        return []
      default:
        throw refuse(`an instance of ${value.constructor?.name ?? 'a class'}`)
    }
  }

  visit(state, 0)
  return [...references]
}
