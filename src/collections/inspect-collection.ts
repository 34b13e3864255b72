import { headerOf } from '../core/header.js'
import { type InspectCall, inspectAs } from '../core/inspection.js'
import type { Persistent } from '../core/persistent.js'

/**
 * Shows a collection as the built-in one that `copy` makes, under its own class's name: `PersistentMap(1) { 'a' => 1 }`.
 *
 * @param size how many entries the collection has, if the copy has only the first of them
 */
export function inspectCollection(object: Persistent, copy: () => object, call: InspectCall, size?: number): string {
  const name = headerOf(object)?.info.name ?? object.constructor.name
  // An array is shown without its kind, a Map or Set as `Map(1) {...}`: the size then follows our name directly.
  let copied = 0
  const counted = () => {
    const content = copy() as { size?: number; length?: number }
    copied = content.size ?? content.length ?? 0
    return content
  }
  const text = inspectAs(object, name, counted, call)
  const more = (size ?? copied) - copied
  const titled = text.replace(/^(.*?) (?:Map|Set)\(\d+\) /, (_all, title) => `${title}(${size ?? copied}) `)
  return more === 0 ? titled : titled.replace(/\s*\}$/, `,\n  ... ${more} more items\n}`)
}
