import type { Oid } from '../../core/oid.js'

/** What could not be mapped one to one, by kind; what each means stands in docs/durus.md. */
export type ChangeKind =
  | 'tuple'
  | 'frozenset'
  | 'python-2-text'
  | 'python-2-bytes'
  | 'key'
  | 'same-keys'
  | 'large-dict'
  | 'naive-datetime'
  | 'time-zone'
  | 'microseconds'
  | 'date'
  | 'python-object'
  | 'python-global'
  | 'missing-object'
  | 'volatile-name'
  | 'state'
  | 'extra-attributes'
  | 'tree-node'
  | 'tree-key'

/** One value that could not be mapped one to one. */
export interface Change {
  readonly oid: Oid
  /** Name of the object's class in Python. */
  readonly className: string
  /** From the object to the value. */
  readonly path: string
  /** What was there. */
  readonly found: string
  /** What is stored in its place. */
  readonly stored: string
}

/** All changes of one kind. */
export interface ChangeSummary {
  readonly kind: ChangeKind
  readonly count: number
  /** The first ones. */
  readonly examples: readonly Change[]
}

/** How many examples are kept of each kind. */
const MAX_EXAMPLES = 100

/** Collects what could not be mapped one to one. */
export class ChangeList {
  readonly #kinds = new Map<ChangeKind, { count: number; examples: Change[] }>()

  /** Counts a change of the kind. @returns true if the change itself is wanted, as an example, by {@link keep} */
  count(kind: ChangeKind): boolean {
    let entry = this.#kinds.get(kind)
    if (entry === undefined) {
      entry = { count: 0, examples: [] }
      this.#kinds.set(kind, entry)
    }
    entry.count++
    return entry.examples.length < MAX_EXAMPLES
  }

  /** Keeps an example that has been counted. */
  keep(kind: ChangeKind, change: Change): void {
    this.#kinds.get(kind)?.examples.push(change)
  }

  /** Adds those that another list has collected. */
  add(summaries: readonly ChangeSummary[]): void {
    for (const { kind, count, examples } of summaries) {
      const entry = this.#kinds.get(kind) ?? { count: 0, examples: [] }
      entry.count += count
      entry.examples.push(...examples.slice(0, MAX_EXAMPLES - entry.examples.length))
      this.#kinds.set(kind, entry)
    }
  }

  /** The most frequent kind first. */
  summaries(): ChangeSummary[] {
    const summaries = [...this.#kinds].map(([kind, { count, examples }]) => ({ kind, count, examples }))
    return summaries.sort((a, b) => b.count - a.count || (a.kind < b.kind ? -1 : 1))
  }
}
