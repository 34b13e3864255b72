import { isVolatile } from '../../core/class-info.js'
import { MAX_PROPERTIES, type State } from '../../core/serializer.js'
import { setOwn } from '../../serializers/own-property.js'
import { PythonDict, PythonSet, PythonTuple } from '../pickle/python-values.js'
import type { Family } from './class-map.js'
import type { StateMapper } from './state-mapper.js'

/** Where a collection of Durus keeps what it holds, and what that becomes. */
interface CollectionShape {
  readonly attribute: string
  empty(): object
  map(mapper: StateMapper, data: unknown): unknown
}

const SHAPES: Readonly<Partial<Record<Family, CollectionShape>>> = {
  map: {
    attribute: 'data',
    empty: () => new Map(),
    map: (mapper, data) => data instanceof PythonDict && mapper.within('data', () => mapper.map(data, data.entries)),
  },
  list: {
    attribute: 'data',
    empty: () => [],
    map: (mapper, data) => Array.isArray(data) && mapper.at('data', data),
  },
  set: {
    attribute: 's',
    empty: () => new Set(),
    map: (mapper, data) => data instanceof PythonSet && mapper.within('s', () => mapper.set(data)),
  },
}

/** Maps the state of an object, as `__getstate__` gave it. */
export function mapState(mapper: StateMapper, family: Family, state: unknown): State {
  const shape = SHAPES[family]
  return shape === undefined ? fieldsState(mapper, state) : collectionState(mapper, state, shape)
}

/**
 * The state of a collection, which holds all in one attribute. What else there is, or does not fit there, is kept beside
 * it, where tools see it and programs do not.
 */
function collectionState(mapper: StateMapper, state: unknown, { attribute, empty, map }: CollectionShape): State {
  const fields: State = { items: empty() }
  const entries = attributesOf(state)
  if (entries === undefined) return { ...fields, ...wholeState(mapper, state) }
  for (let i = 0; i < entries.length; i += 2) {
    const [name, value] = [entries[i] as string, entries[i + 1]]
    const items = name === attribute ? map(mapper, value) : undefined
    if (Object.getPrototypeOf(items ?? false) === Object.getPrototypeOf(fields['items'])) {
      fields['items'] = items
    } else {
      mapper.noteAs('extra-attributes', name, 'a field beside the items, which programs do not see')
      setOwn(fields, fieldName(mapper, name, fields), mapper.at(name, value))
    }
  }
  return fields
}

/** Maps attributes to fields of the same names. */
function fieldsState(mapper: StateMapper, state: unknown): State {
  const entries = attributesOf(state)
  if (entries === undefined || entries.length / 2 > MAX_PROPERTIES) return wholeState(mapper, state)
  const fields: State = {}
  for (let i = 0; i < entries.length; i += 2) {
    const name = entries[i] as string
    setOwn(fields, fieldName(mapper, name, fields), mapper.at(name, entries[i + 1]))
  }
  return fields
}

/** The fields of a BTree, which no attribute may take. */
const TREE_FIELDS: readonly string[] = ['keys', 'values', 'children', 'counters', 'nodeSize']

/** What a BTree has besides its entries, as fields that stand beside its own. */
export function treeExtras(mapper: StateMapper, state: unknown): State {
  const extras: State = Object.fromEntries(TREE_FIELDS.map((name) => [name, undefined]))
  const entries = attributesOf(state) ?? []
  for (let i = 0; i < entries.length; i += 2) {
    const name = entries[i] as string
    if (name === 'root') continue
    mapper.noteAs('extra-attributes', name, 'a field beside the entries, which programs do not see')
    setOwn(extras, fieldName(mapper, name, extras), mapper.at(name, entries[i + 1]))
  }
  for (const name of TREE_FIELDS) delete extras[name]
  return extras
}

/** Names that begin with `_v_` are never stored by Perdure; Durus knows nothing of that, and has stored them. */
function fieldName(mapper: StateMapper, name: string, fields: State): string {
  const isFree = !Object.hasOwn(fields, name)
  if (isFree && !isVolatile(name)) return name
  let free = isFree ? name.slice(1) : `${name}_`
  while (Object.hasOwn(fields, free)) free += '_'
  if (isFree) mapper.noteAs('volatile-name', name, free)
  return free
}

function wholeState(mapper: StateMapper, state: unknown): State {
  mapper.note('state', state, 'the field $state')
  return { $state: mapper.at('$state', state) }
}

/**
 * Names and values in turn: of a dict, or of the two that a class with `__slots__` may have. Undefined if the state is
 * something else.
 */
export function attributesOf(state: unknown): readonly unknown[] | undefined {
  if (state === null) return []
  if (state instanceof PythonDict) return namesOnly(state.entries)
  if (!(state instanceof PythonTuple) || state.items.length !== 2) return undefined
  const [dict, slots] = state.items
  if ((dict !== null && !(dict instanceof PythonDict)) || !(slots instanceof PythonDict)) return undefined
  return namesOnly([...(dict?.entries ?? []), ...slots.entries])
}

function namesOnly(entries: readonly unknown[]): readonly unknown[] | undefined {
  const names = new Set<unknown>()
  for (let i = 0; i < entries.length; i += 2) {
    if (typeof entries[i] !== 'string') return undefined
    names.add(entries[i])
  }
  return names.size === entries.length / 2 ? entries : undefined
}
