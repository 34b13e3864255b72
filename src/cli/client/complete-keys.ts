import { isPersistent } from '../../index.js'

/** `root.get('ada').friends.get("b`: an expression of names, indexes and calls of get, and the beginning of a key. */
const BEGUN =
  /((?:[\w$]+)(?:\.[\w$]+|\[\d+\]|\.get\((?:'[^']*'|"[^"]*"|\d+)\))*)\.(?:get|has|delete|set)\((['"])([^'"]*)$/

/** A collection with more keys than that is not listed. */
const MAX_KEYS = 1000

/**
 * Completes the key of a persistent collection, or of a Map, that has been begun at the end of a line.
 *
 * @param scope where the first name of the expression is looked up
 * @returns the possible keys with their quotation marks, and what they complete; undefined if no key has been begun
 */
export function completeKeys(line: string, scope: object): [string[], string] | undefined {
  const match = BEGUN.exec(line)
  if (match === null) return undefined
  const [, expression = '', quote = '', begun = ''] = match
  const keys = keysOf(walk(expression, scope))
  const found = keys?.filter((key) => key.startsWith(begun) && !key.includes(quote)) ?? []
  return [found.map((key) => `${quote}${key}${quote}`), `${quote}${begun}`]
}

/** The value of such an expression, without running any code of the user's but accessors. */
function walk(expression: string, scope: object): unknown {
  const steps = expression.matchAll(/\.get\((?:'([^']*)'|"([^"]*)"|(\d+))\)|\[(\d+)\]|\.?([\w$]+)/g)
  let value: unknown = scope
  try {
    for (const [, single, double, number, index, name] of steps) {
      const key = single ?? double
      if (name !== undefined || index !== undefined) value = (value as never)[(name ?? index) as never]
      else value = (value as Gettable).get(key ?? Number(number))
    }
  } catch {
    return undefined // It makes no sense, or cannot be loaded: pressing Enter will tell.
  }
  return value
}

interface Gettable {
  get(key: unknown): unknown
}

function keysOf(value: unknown): string[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (!(value instanceof Map) && !isPersistent(value)) return undefined
  const { keys } = value as { keys?: () => Iterable<unknown> }
  if (typeof keys !== 'function') return undefined
  const found: string[] = []
  for (const key of keys.call(value)) {
    if (typeof key === 'string') found.push(key)
    if (found.length > MAX_KEYS) return undefined
  }
  return found
}
