import { PerdureError } from './errors.js'
import { headerOf } from './header.js'

/**
 * The object at a path of names or keys from `root`, such as `/accounts/ada`.
 *
 * @throws PerdureError `PERDURE_NOT_FOUND` if there is no persistent object
 */
export function resolvePath(root: object, path: string): object {
  const object = valueAt(root, path)
  if (typeof object === 'object' && object !== null && headerOf(object) !== undefined) return object
  throw new PerdureError('PERDURE_NOT_FOUND', `There is no persistent object at ${path}.`, { details: { path } })
}

/**
 * The value at a path of keys, indexes and names of fields from `root`, such as `/accounts/ada/tags/0`. A key that is
 * not found as a string is looked up as a number. `%2F` stands for a slash within a key.
 *
 * @throws PerdureError `PERDURE_NOT_FOUND` that says how far the path leads
 */
export function valueAt(root: object, path: string): unknown {
  let value: unknown = root
  const done: string[] = []
  for (const step of path.split('/').filter((part) => part !== '')) {
    const key = keyOf(step)
    if (!hasKey(value, key)) {
      const where = done.length === 0 ? 'the root' : `/${done.join('/')}`
      throw new PerdureError('PERDURE_NOT_FOUND', `There is no ${step} in ${where}, looking for ${path}.`, {
        details: { path },
      })
    }
    value = childOf(value, key)
    done.push(step)
  }
  return value
}

interface Keyed {
  has(key: unknown): boolean
  get(key: unknown): unknown
}

function isKeyed(value: object): value is Keyed {
  const { get, has } = value as Partial<Keyed>
  return typeof get === 'function' && typeof has === 'function'
}

function hasKey(value: unknown, key: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (!isKeyed(value)) return Object.hasOwn(value, key) || Object.hasOwn(fieldsOf(value), key)
  return value.has(key) || (isNumber(key) && value.has(Number(key)))
}

function childOf(value: unknown, key: string): unknown {
  const container = value as object
  if (!isKeyed(container)) return (container as Record<string, unknown>)[key]
  return container.has(key) ? container.get(key) : container.get(Number(key))
}

/** Fields declared with `@field` live on the prototype; a persistent object knows them all the same. */
function fieldsOf(value: object): object {
  const header = headerOf(value)
  return header === undefined || header.info.kind === 'bare' ? {} : header.info.toState(header.read())
}

function isNumber(key: string): boolean {
  return key !== '' && String(Number(key)) === key
}

function keyOf(step: string): string {
  try {
    return decodeURIComponent(step)
  } catch {
    return step // A lone percent sign stands for itself.
  }
}
