import { containerBehind, containerOf, isContainer } from './container.js'
import { passOrigin, referenceTo } from './dereference.js'
import { type Header, headerOf } from './header.js'

/**
 * What to put in a state for a value given by the user: references for persistent objects, raw containers for tracked
 * ones. The inverse of `fromStored`.
 */
export function toStored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const container = containerBehind(value)
  if (container !== undefined) {
    // Storing what a container holds is reading it.
    container.read()
    return container.raw
  }
  const header = headerOf(value)
  return header === undefined ? value : referenceTo(header)
}

/** The raw container behind a tracked one, without reading it; any other object itself. */
export function rawOf(value: object): object {
  return containerBehind(value)?.raw ?? value
}

/** Makes the containers in `value` that were handed out by `from` belong to `to`, into whose state it has been moved. */
export function handOver(from: Header, to: Header, value: unknown): void {
  passOrigin(from, to)
  if (from.lent) handOverWithin(from, to, value, new Set())
}

function handOverWithin(from: Header, to: Header, value: unknown, seen: Set<object>): void {
  const raw = toStored(value)
  if (typeof raw !== 'object' || raw === null || seen.has(raw) || !isContainer(raw)) return
  seen.add(raw)
  containerOf(raw)?.move(from, to)
  if (raw instanceof Map) for (const key of raw.keys()) handOverWithin(from, to, key, seen)
  const items: Iterable<unknown> = raw instanceof Map || raw instanceof Set ? raw.values() : Object.values(raw)
  for (const item of items) handOverWithin(from, to, item, seen)
}
