import { expect } from 'chai'
import fc from 'fast-check'
import { OidIndex, PAGE_ENTRIES, type PageSource, reserveIndexMemory } from '../../src/journal/oid-index.js'

/** Pages in which each oid has its own number times ten. */
class TestPages implements PageSource {
  readonly read: number[] = []
  damaged = new Set<number>()
  rebuilds = 0
  readonly #count: number

  constructor(count: number) {
    this.#count = count
  }

  readPage(page: number, target: BigUint64Array): boolean {
    this.read.push(page)
    if (this.damaged.has(page)) return false
    for (let i = 0; i < PAGE_ENTRIES; i++) target[i] = BigInt((page * PAGE_ENTRIES + i) * 10)
    return true
  }

  rebuild(index: OidIndex): void {
    this.rebuilds++
    this.damaged.clear()
    const entries = new BigUint64Array(PAGE_ENTRIES)
    for (let page = 0; page < this.#count; page++) {
      this.readPage(page, entries)
      index.fill(page, entries)
    }
  }

  close(): void {}
}

function makeIndex(pages: number): { index: OidIndex; source: TestPages; other: OidIndex } {
  const source = new TestPages(pages)
  const index = new OidIndex(reserveIndexMemory(pages), source)
  index.grow(pages * PAGE_ENTRIES)
  return { index, source, other: new OidIndex(index.memory, source) }
}

describe('OidIndex', () => {
  it('loads a page when it is first needed, once for all threads', () => {
    const { index, source, other } = makeIndex(4)
    expect(index.get(2 * PAGE_ENTRIES + 5)).to.equal((2 * PAGE_ENTRIES + 5) * 10)
    expect(other.get(2 * PAGE_ENTRIES)).to.equal(2 * PAGE_ENTRIES * 10)
    expect(source.read).to.deep.equal([2])
  })

  it('never replaces what was set by what is loaded later', () => {
    const { index, other } = makeIndex(2)
    index.set(7, 77_777)
    expect(other.get(8)).to.equal(80)
    expect(other.get(7)).to.equal(77_777)
  })

  it('agrees with a Map, whatever is set, loaded, grown and copied', () => {
    const oid = fc.nat(5 * PAGE_ENTRIES - 1)
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), oid, value: fc.maxSafeNat() }),
      fc.record({ kind: fc.constant('get' as const), oid }),
      fc.record({ kind: fc.constant('copy' as const), oid }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const stored = 3
        const { index, other } = makeIndex(stored)
        const set = new Map<number, number>()
        const expected = (at: number) => set.get(at) || (at < stored * PAGE_ENTRIES ? at * 10 : 0)
        for (const each of steps) {
          if (each.kind === 'set') {
            index.grow(each.oid + 1)
            index.set(each.oid, each.value)
            if (each.value !== 0) set.set(each.oid, each.value)
          } else if (each.kind === 'get') {
            expect(other.get(each.oid)).to.equal(expected(each.oid))
          } else {
            const page = Math.floor(each.oid / PAGE_ENTRIES)
            const copy = new BigUint64Array(PAGE_ENTRIES)
            index.grow((page + 1) * PAGE_ENTRIES)
            index.copyPage(page, copy)
            expect(Number(copy[each.oid % PAGE_ENTRIES])).to.equal(expected(each.oid))
          }
        }
      }),
    )
  })

  it('is rebuilt when a page is damaged, and keeps what was set', () => {
    const { index, source } = makeIndex(3)
    index.set(3, 333)
    source.damaged.add(0)
    expect([index.get(4), index.get(3), index.get(PAGE_ENTRIES)]).to.deep.equal([40, 333, PAGE_ENTRIES * 10])
    expect(source.rebuilds).to.equal(1)
  })

  it('grows under its readers, and says when there is no more room', () => {
    const { index, other } = makeIndex(0)
    index.grow(3_000_000)
    index.set(2_999_999, 1)
    expect([other.get(2_999_999), other.get(10 ** 9), other.get(2 ** 52)]).to.deep.equal([1, 0, 0])
    expect(() => index.grow(index.capacity + 1))
      .to.throw()
      .with.property('code', 'PERDURE_LIMIT')
    expect(index.capacity).to.equal(2 ** 32)
  })

  it('finds objects beyond the first segment', () => {
    const { index, other } = makeIndex(0)
    const oid = 2 ** 29 + 3
    index.grow(oid + 1)
    index.set(oid, 99)
    expect([other.get(oid), other.get(oid - 1), other.get(3)]).to.deep.equal([99, 0, 0])
  })
})
