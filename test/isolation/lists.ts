import { PersistentList } from '../../src/collections/persistent-list.js'
import type { Database } from '../../src/core/database.js'
import { field } from '../../src/core/field.js'
import { Persistent } from '../../src/core/persistent.js'
import type { Root } from '../../src/open.js'

/** The database of a workload: lists by name. */
export type Lists = Root<Record<string, AppendList>>

/** An object behind a Proxy, whose state holds an array. */
export class ArrayList extends Persistent {
  values: number[] = []
}

/** An object with an accessor field that holds an array. */
export class FieldList extends Persistent {
  @field accessor values: number[] = []
}

export type AppendList = ArrayList | FieldList | PersistentList<number>

export const listClasses = [ArrayList, FieldList]

/** How many lists are in use at a time. */
export const ACTIVE_LISTS = 6

/** After as many transactions the oldest list is given up for a new one, so that lists stay short. */
const LIST_TURNS = 12

/** How many lists a workload needs. */
export function listCount(transactions: number): number {
  return Math.ceil(transactions / LIST_TURNS) + ACTIVE_LISTS
}

/** The name of one of the lists that transaction number `ticket` may use; `choice` is below {@link ACTIVE_LISTS}. */
export function listName(ticket: number, choice: number): string {
  return `x${Math.floor(ticket / LIST_TURNS) + choice}`
}

/** Creates the lists of a workload, of all three kinds. */
export async function createLists(database: Database<Lists>, count: number): Promise<void> {
  const kinds = [() => new ArrayList(), () => new FieldList(), () => new PersistentList<number>()]
  await database.transact((root) => {
    for (let i = 0; i < count; i++) root.set(`x${i}`, (kinds[i % kinds.length] as () => AppendList)())
  })
}

export function append(root: Lists, name: string, value: number): void {
  valuesOf(root, name).push(value)
}

export function read(root: Lists, name: string): number[] {
  return [...valuesOf(root, name)]
}

function valuesOf(root: Lists, name: string): number[] | PersistentList<number> {
  const list = root.get(name)
  if (list === undefined) throw new Error(`There is no list ${name}.`)
  return list instanceof PersistentList ? list : list.values
}
