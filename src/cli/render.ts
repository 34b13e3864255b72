import { type InspectOptions, inspect } from 'node:util'

/**
 * A value as people read it: persistent objects with their class and oid, those within them by class and oid alone,
 * so that to look at an object loads nothing else.
 */
export function render(value: unknown, colors = false): string {
  const options: InspectOptions & { identities: boolean } = { colors, depth: 4, identities: true }
  return inspect(value, options)
}
