import type { Anomaly, AnomalyKind, History, Operation, Transaction } from './history.js'

/** A list as one transaction found it, before its own appends. */
export interface Observation {
  readonly reader: number
  readonly list: string
  readonly version: readonly number[]
}

/** Who appended a value. */
export interface Append {
  readonly writer: number
  readonly list: string
  readonly value: number
  /** Whether the writer appended nothing more to the list. */
  readonly last: boolean
}

/** Collects what is wrong without any cycle. */
export class Findings {
  readonly anomalies: Anomaly[] = []

  report(kind: AnomalyKind, message: string): void {
    this.anomalies.push({ kind, realTime: false, message })
  }
}

/**
 * Every append, by its value.
 *
 * @throws Error if a value was appended twice: such a history proves nothing
 */
export function findAppends(history: History): Map<number, Append> {
  const appends = new Map<number, Append>()
  history.forEach(({ operations }, writer) => {
    const closed = new Set<string>()
    for (const operation of operations.toReversed()) {
      if (operation.kind !== 'append') continue
      const { list, value } = operation
      if (appends.has(value)) throw new Error(`The value ${value} was appended twice: histories need unique values.`)
      appends.set(value, { writer, list, value, last: !closed.has(list) })
      closed.add(list)
    }
  })
  return appends
}

/** What each transaction found in the lists. Reports `internal` where its reads do not agree with each other or with its own appends. */
export function findObservations(history: History, findings: Findings): Observation[] {
  return history.flatMap((transaction, reader) => {
    const found = new Map<string, readonly number[]>()
    const own = new Map<string, number[]>()
    for (const operation of transaction.operations) {
      if (operation.kind === 'append') remember(own, operation)
      else observe(transaction, operation, own.get(operation.list) ?? [], found, findings)
    }
    return Array.from(found, ([list, version]) => ({ reader, list, version }))
  })
}

function remember(own: Map<string, number[]>, { list, value }: Operation & { kind: 'append' }): void {
  const values = own.get(list)
  if (values === undefined) own.set(list, [value])
  else values.push(value)
}

function observe(
  { name }: Transaction,
  { list, values }: Operation & { kind: 'read' },
  own: readonly number[],
  found: Map<string, readonly number[]>,
  findings: Findings,
): void {
  const foreign = values.length - own.length
  const version = values.slice(0, Math.max(0, foreign))
  if (!sameValues(values.slice(version.length), own)) {
    findings.report('internal', `${name} read ${list} as [${values}], which does not end with its own [${own}].`)
    return
  }
  const before = found.get(list)
  if (before === undefined) found.set(list, version)
  else if (!sameValues(before, version)) {
    findings.report('internal', `${name} found ${list} as [${before}], and then as [${version}].`)
  }
}

/**
 * The order in which each list got its values: the longest state of it that was seen. Reports `incompatible-order`
 * where another state is not the beginning of it.
 */
export function findOrders(observations: readonly Observation[], findings: Findings): Map<string, readonly number[]> {
  const longest = new Map<string, readonly number[]>()
  for (const { list, version } of observations) {
    if (version.length >= (longest.get(list)?.length ?? 0)) longest.set(list, version)
  }
  for (const { list, version } of observations) {
    const order = longest.get(list) ?? []
    if (sameValues(order.slice(0, version.length), version)) continue
    findings.report('incompatible-order', `${list} was read as [${version}], and as [${order}].`)
  }
  for (const [list, order] of longest) {
    if (new Set(order).size < order.length) findings.report('duplicate', `${list} was read as [${order}].`)
  }
  return longest
}

function sameValues(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}
