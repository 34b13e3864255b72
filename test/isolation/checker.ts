import { type Cycle, findCycles } from './cycles.js'
import { DependencyGraph, type DependencyKind } from './dependency-graph.js'
import type { Anomaly, History } from './history.js'
import { type Append, Findings, findAppends, findObservations, findOrders, type Observation } from './list-versions.js'
import { realTimeOrder } from './real-time-order.js'

/** What a history shows. */
export interface Verdict {
  readonly anomalies: readonly Anomaly[]
  /** How much there was to check, so that a test can demand that it was something. */
  readonly dependencies: Readonly<Record<DependencyKind, number>>
}

/**
 * Finds what contradicts strict serializability in a history of appends to lists, and how badly.
 *
 * Since lists only grow, a read tells which appends came before, and in which order. From that follow the
 * dependencies between transactions; an execution was serializable only if they contain no cycle, and what kinds of
 * dependencies a cycle is made of tells which weaker isolation level it violates. Transactions that were aborted
 * are taken as readers: what they saw must have been consistent too.
 *
 * The method is that of Elle (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental
 * Observations", VLDB 2020; https://github.com/jepsen-io/elle), the anomalies are those of Adya ("Weak Consistency: A
 * Generalized Theory and Optimistic Implementations for Distributed Transactions", MIT 1999).
 */
export function checkHistory(history: History): Verdict {
  const findings = new Findings()
  const appends = findAppends(history)
  const observations = findObservations(history, findings)
  const orders = findOrders(observations, findings)
  checkReads(history, appends, observations, findings)
  checkLosses(history, appends, orders, findings)

  const graph = new DependencyGraph()
  addOrders(graph, appends, orders)
  addReads(graph, appends, orders, observations)
  const cycles = findCycles(graph).map((cycle) => describe(history, cycle))
  for (const dependency of realTimeOrder(history)) graph.add(dependency)
  const inRealTime = findCycles(graph).map((cycle) => describe(history, cycle))
  return {
    anomalies: [...findings.anomalies, ...cycles, ...inRealTime.filter(({ realTime }) => realTime)],
    dependencies: count(graph),
  }
}

function checkReads(
  history: History,
  appends: ReadonlyMap<number, Append>,
  observations: readonly Observation[],
  findings: Findings,
): void {
  for (const { reader, list, version } of observations) {
    const read = `${history[reader]?.name} read ${list} as [${version}]`
    for (const value of version) {
      const append = appends.get(value)
      if (append?.list !== list) findings.report('garbage', `${read}, but nobody appended ${value} to it.`)
      else if (history[append.writer]?.outcome === 'aborted') {
        findings.report('G1a', `${read}, but ${history[append.writer]?.name}, which appended ${value}, was aborted.`)
      }
    }
    const last = appends.get(version.at(-1) ?? Number.NaN)
    if (last?.last === false) {
      findings.report('G1b', `${read}, but ${history[last.writer]?.name} appended more after ${last.value}.`)
    }
  }
}

function checkLosses(
  history: History,
  appends: ReadonlyMap<number, Append>,
  orders: ReadonlyMap<string, readonly number[]>,
  findings: Findings,
): void {
  const seen = new Set([...orders.values()].flat())
  for (const { writer, list, value } of appends.values()) {
    if (history[writer]?.outcome !== 'committed' || seen.has(value)) continue
    findings.report('lost-append', `${history[writer]?.name} appended ${value} to ${list}, where it is not found.`)
  }
}

function addOrders(
  graph: DependencyGraph,
  appends: ReadonlyMap<number, Append>,
  orders: ReadonlyMap<string, readonly number[]>,
): void {
  for (const [list, order] of orders) {
    for (const [i, value] of order.entries()) {
      const before = appends.get(order[i - 1] ?? Number.NaN)
      const after = appends.get(value)
      if (before !== undefined && after !== undefined) {
        graph.add({ from: before.writer, to: after.writer, kind: 'ww', list })
      }
    }
  }
}

function addReads(
  graph: DependencyGraph,
  appends: ReadonlyMap<number, Append>,
  orders: ReadonlyMap<string, readonly number[]>,
  observations: readonly Observation[],
): void {
  for (const { reader, list, version } of observations) {
    const order = orders.get(list) ?? []
    // A state that has no place in the order has been reported, and tells nothing of what comes after it.
    if (order[version.length - 1] !== version.at(-1)) continue
    const read = appends.get(version.at(-1) ?? Number.NaN)
    const missed = appends.get(order[version.length] ?? Number.NaN)
    if (read !== undefined) graph.add({ from: read.writer, to: reader, kind: 'wr', list })
    if (missed !== undefined) graph.add({ from: reader, to: missed.writer, kind: 'rw', list })
  }
}

function describe(history: History, { kind, steps }: Cycle): Anomaly {
  const first = history[steps[0]?.from ?? 0]?.name
  const rest = steps.map((step) => `-${step.kind}${step.list && ` ${step.list}`}-> ${history[step.to]?.name}`)
  return {
    kind,
    realTime: steps.some((step) => step.kind === 'rt'),
    message: `${kind}: ${[first, ...rest].join(' ')}`,
  }
}

function count(graph: DependencyGraph): Record<DependencyKind, number> {
  const counts = { ww: 0, wr: 0, rw: 0, rt: 0 }
  for (const { kind } of graph.dependencies()) counts[kind]++
  return counts
}
