import type { StoredEntry } from '../../collections/btree-layout.js'
import { PerdureError } from '../../core/errors.js'
import type { Oid } from '../../core/oid.js'
import type { State } from '../../core/serializer.js'
import type { ObjectDataReader } from '../object-data.js'
import { PersistentId, PythonTuple } from '../pickle/python-values.js'
import type { DurusObject, DurusSource } from '../source.js'
import { attributesOf, treeExtras } from './fields.js'
import { durusReference } from './persistent-id.js'
import type { StateMapper, Subject } from './state-mapper.js'
import { mapTreeKey, sortEntries } from './tree-key.js'

/** Durus's smallest nodes have two children, so no tree is as high as this. */
const MAX_HEIGHT = 100

/** Reads the entries of Durus's BTrees, whose nodes are objects of their own. */
export class TreeReader {
  readonly #source: DurusSource
  readonly #reader: ObjectDataReader
  readonly #mapper: StateMapper

  constructor(source: DurusSource, reader: ObjectDataReader, mapper: StateMapper) {
    this.#source = source
    this.#reader = reader
    this.#mapper = mapper
  }

  /**
   * All entries of a tree, in the order of keys that they have here, and what it has besides.
   *
   * @throws PerdureError `PERDURE_DECODE` with `details.oid` if this is no tree; `PERDURE_UNSTORABLE`
   */
  read(subject: Subject, tree: DurusObject): { readonly entries: readonly StoredEntry[]; readonly extras: State } {
    const entries: StoredEntry[] = []
    const { state } = this.#reader.read(tree)
    this.#mapper.begin(subject)
    const oid = this.#childOid(tree, attribute(state, 'root'))
    if (oid !== undefined) this.#collect(oid, 0, new Set(), entries)
    this.#mapper.begin(subject)
    return { entries: sortEntries(this.#mapper, entries), extras: treeExtras(this.#mapper, state) }
  }

  #collect(oid: Oid, height: number, seen: Set<Oid>, into: StoredEntry[]): void {
    const object = this.#source.load(oid)
    // Who referred to it has been told of already.
    if (object === undefined) return
    if (seen.has(oid) || height > MAX_HEIGHT) throw noTree(object, 'a node is below itself')
    seen.add(oid)
    const { type, state } = this.#reader.read(object)
    this.#mapper.begin({ oid, className: type.dottedName })
    const entries = this.#ownEntries(object, state)
    const nodes = attribute(state, 'nodes')
    if (nodes === null) {
      for (const entry of entries) into.push(entry)
      return
    }
    if (!Array.isArray(nodes)) throw noTree(object, 'its nodes are no list')
    const children = nodes.map((node, i) =>
      this.#mapper.within('nodes', () => this.#mapper.within(i, () => this.#childOid(object, node))),
    )
    for (const [i, child] of children.entries()) {
      if (child !== undefined) this.#collect(child, height + 1, seen, into)
      const entry = entries[i]
      if (entry !== undefined) into.push(entry)
    }
    for (const entry of entries.slice(children.length)) into.push(entry)
  }

  #ownEntries(object: DurusObject, state: unknown): StoredEntry[] {
    const items = attribute(state, 'items')
    if (!Array.isArray(items)) throw noTree(object, 'its items are no list')
    const mapper = this.#mapper
    return mapper.within('items', () =>
      items.map((item, i) => {
        if (!(item instanceof PythonTuple) || item.items.length !== 2) throw noTree(object, 'an item is no pair')
        const [key, value] = item.items
        return mapper.within(i, () => ({ key: mapTreeKey(mapper, key), value: mapper.at(1, value) }))
      }),
    )
  }

  /** The oid of a node, unless it is missing, which is noted. */
  #childOid(parent: DurusObject, node: unknown): Oid | undefined {
    const child = node instanceof PersistentId ? durusReference(node) : undefined
    if (child === undefined) throw noTree(parent, 'it has a node that is no object')
    if (this.#mapper.isThere(child.oid)) return child.oid
    this.#mapper.noteAs('missing-object', `the node ${child.oid} of a BTree, which does not exist`, 'nothing')
    return undefined
  }
}

function attribute(state: unknown, name: string): unknown {
  const entries = attributesOf(state) ?? []
  for (let i = 0; i < entries.length; i += 2) if (entries[i] === name) return entries[i + 1]
  return undefined
}

function noTree({ oid, offset }: DurusObject, what: string): PerdureError {
  return new PerdureError('PERDURE_DECODE', `Durus object ${oid} is part of a BTree and makes no sense: ${what}.`, {
    details: { oid, offset },
  })
}
