import { PerdureError } from './core/errors.js'

/**
 * Refuses options that do not exist, since a misspelled one would silently do nothing.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` naming the option, and the one that was probably meant
 */
export function checkOptions(of: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const meant = near(name, known)
    const hint = meant === undefined ? `It takes ${known.join(', ')}.` : `Did you mean ${meant}?`
    throw new PerdureError('PERDURE_ARGUMENT', `${of} has no option ${name}. ${hint}`)
  }
}

/** The first of the known names that is nearly the same: most probably what was meant. */
export function near(name: string, known: readonly string[]): string | undefined {
  return known.find((other) => isNear(name, other))
}

/** True if the names are at most two insertions, deletions or replacements apart (Levenshtein distance), or differ in case. */
function isNear(name: string, other: string): boolean {
  const a = name.toLowerCase()
  const b = other.toLowerCase()
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return (row[b.length] as number) <= 2
}
