import type { PersistentClass } from '../core/class-info.js'
import { BTree } from './btree.js'
import { BTreeCounter } from './btree-counter.js'
import { BTreeNode } from './btree-node.js'
import { PersistentList } from './persistent-list.js'
import { PersistentMap } from './persistent-map.js'
import { PersistentSet } from './persistent-set.js'

/** Every class that the collections are stored with: what a database must know before it loads one. */
export const collectionClasses: readonly PersistentClass[] = [
  PersistentMap,
  PersistentList,
  PersistentSet,
  BTree,
  BTreeNode,
  BTreeCounter,
]
