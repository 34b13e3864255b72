import { expect } from 'chai'
import { checkHistory } from './checker.js'
import type { AnomalyKind, History, Operation, Outcome, Transaction } from './history.js'

/** `a+1` appends 1 to list a, `a=12` reads it as [1, 2]. */
function operation(text: string): Operation {
  const list = text.charAt(0)
  const values = [...text.slice(2)].map(Number)
  return text.charAt(1) === '+' ? { kind: 'append', list, value: values[0] as number } : { kind: 'read', list, values }
}

/** A transaction that overlaps with all others, unless `span` says from when to when it ran. */
function transaction(
  name: string,
  operations: string,
  outcome: Outcome = 'committed',
  [began, ended]: readonly [number, number] = [0, 100],
): Transaction {
  return { name, operations: operations.split(' ').map(operation), outcome, began, ended }
}

/** The kinds of what is found; those that only real time shows end with `in real time`. */
function kinds(...history: History): string[] {
  return checkHistory(history).anomalies.map(({ kind, realTime }) => (realTime ? `${kind} in real time` : kind))
}

function expectOnly(kind: AnomalyKind, ...history: History): void {
  expect(kinds(...history)).to.deep.equal([kind])
}

describe('isolation checker', () => {
  it('finds nothing in a serial history', () => {
    const { anomalies, dependencies } = checkHistory([
      transaction('A', 'a+1 a=1', 'committed', [1, 2]),
      transaction('B', 'a=1 a+2 b+3', 'committed', [3, 4]),
      transaction('C', 'a=12 b=3', 'committed', [5, 6]),
    ])
    expect(anomalies).to.deep.equal([])
    expect(dependencies).to.deep.equal({ ww: 1, wr: 3, rw: 0, rt: 2 })
  })

  it('finds nothing in concurrent transactions that some order explains', () => {
    expect(kinds(transaction('A', 'a= b+1'), transaction('B', 'a+2'), transaction('C', 'a=2 b=1'))).to.deep.equal([])
  })

  it('finds a transaction that does not see its own appends', () => {
    expectOnly('internal', transaction('A', 'a+1 a='), transaction('B', 'a=1'))
  })

  it('finds a transaction that sees a list change', () => {
    expectOnly('internal', transaction('A', 'a= a=1'), transaction('B', 'a+1'), transaction('C', 'a=1'))
  })

  it('finds values that nobody appended, or not to this list', () => {
    expectOnly('garbage', transaction('A', 'a=7'))
    expectOnly('garbage', transaction('A', 'a+1'), transaction('B', 'b=1 a=1'))
  })

  it('finds values that stand in a list twice', () => {
    expectOnly('duplicate', transaction('A', 'a+1'), transaction('B', 'a=11'))
  })

  it('finds lists that did not only grow', () => {
    expectOnly(
      'incompatible-order',
      transaction('A', 'a+1'),
      transaction('B', 'a+2'),
      transaction('C', 'a=2'),
      transaction('D', 'a=12'),
    )
  })

  it('finds committed appends that are gone', () => {
    expectOnly('lost-append', transaction('A', 'a+1'), transaction('B', 'a='))
  })

  it('does not miss appends whose outcome is unknown, and accepts them', () => {
    expect(kinds(transaction('A', 'a+1', 'unknown'), transaction('B', 'a='))).to.deep.equal([])
    expect(kinds(transaction('A', 'a+1', 'unknown'), transaction('B', 'a=1'))).to.deep.equal([])
  })

  it('finds G1a: a read of what was aborted', () => {
    expectOnly('G1a', transaction('A', 'a+1', 'aborted'), transaction('B', 'a=1'))
  })

  it('finds G1b: a read of what was not finished', () => {
    expect(kinds(transaction('A', 'a+1 a+2'), transaction('B', 'a=1'), transaction('C', 'a=12'))).to.deep.equal([
      'G1b',
      'G-single',
    ])
  })

  it('finds G0: writes in opposite orders', () => {
    expectOnly('G0', transaction('A', 'a+1 b+3'), transaction('B', 'a+2 b+4'), transaction('C', 'a=12 b=43'))
  })

  it('finds G1c: transactions that have read from each other', () => {
    expectOnly('G1c', transaction('A', 'a+1 b=2'), transaction('B', 'b+2 a=1'))
  })

  it('finds G-single: half of a transaction, and an update that was lost', () => {
    expectOnly('G-single', transaction('A', 'a+1 b+2'), transaction('B', 'a=1 b='), transaction('C', 'a=1 b=2'))
    expectOnly('G-single', transaction('A', 'a= a+1'), transaction('B', 'a= a+2'), transaction('C', 'a=12'))
  })

  it('finds G-nonadjacent: two readers that disagree on the order of two writers', () => {
    expectOnly(
      'G-nonadjacent',
      transaction('A', 'a+1'),
      transaction('B', 'b+2'),
      transaction('C', 'a=1 b='),
      transaction('D', 'a= b=2'),
    )
  })

  it('finds G2: write skew', () => {
    expectOnly('G2', transaction('A', 'a= b+1'), transaction('B', 'b= a+2'), transaction('C', 'a=2 b=1'))
  })

  it('finds G2 where only a reader shows it', () => {
    // Fekete, O'Neil and O'Neil, "A Read-Only Transaction Anomaly Under Snapshot Isolation", SIGMOD Record 33(3), 2004.
    expectOnly(
      'G2',
      transaction('A', 'a= b= a+1'),
      transaction('B', 'b+2'),
      transaction('R', 'a= b=2'),
      transaction('C', 'a=1 b=2'),
    )
  })

  it('takes aborted transactions as readers', () => {
    expectOnly(
      'G-single',
      transaction('A', 'a+1 b+2'),
      transaction('B', 'a=1 b= c+3', 'aborted'),
      transaction('C', 'a=1 b=2'),
    )
  })

  it('finds reads that are older than they may be in real time', () => {
    const writer = transaction('A', 'a+1', 'committed', [1, 2])
    const last = transaction('C', 'a=1', 'committed', [5, 6])
    expect(kinds(writer, transaction('B', 'a=', 'committed', [3, 4]), last)).to.deep.equal(['G-single in real time'])
    expect(kinds(writer, transaction('B', 'a=', 'committed', [1, 4]), last)).to.deep.equal([])
  })

  it('finds appends that overtook one that had ended', () => {
    const history = [
      transaction('A', 'a+1', 'committed', [1, 2]),
      transaction('B', 'a+2', 'committed', [3, 4]),
      transaction('C', 'a=21', 'committed', [5, 6]),
    ]
    expect(kinds(...history)).to.deep.equal(['G0 in real time'])
  })

  it('reports each set of transactions that depend on each other once, with the cycle', () => {
    const { anomalies } = checkHistory([
      transaction('A', 'a= b+1'),
      transaction('B', 'b= a+2'),
      transaction('C', 'c= d+3'),
      transaction('D', 'd= c+4'),
      transaction('E', 'a=2 b=1 c=4 d=3'),
    ])
    expect(anomalies.map(({ message }) => message).sort()).to.deep.equal([
      'G2: A -rw a-> B -rw b-> A',
      'G2: C -rw c-> D -rw d-> C',
    ])
  })

  it('refuses a history whose values do not tell who appended them', () => {
    expect(() => checkHistory([transaction('A', 'a+1'), transaction('B', 'a+1')])).to.throw('appended twice')
  })
})
