import { expect } from 'chai'
import { ReadAhead } from '../../../src/storages/client/read-ahead.js'

describe('The read-ahead of a client', () => {
  function load(readAhead: ReadAhead, brought: number, used: number): void {
    readAhead.missed()
    readAhead.brought(brought)
    for (let i = 0; i < used; i++) readAhead.used()
  }

  it('brings more while what it brings is used, and little when it is not', () => {
    const readAhead = new ReadAhead()
    const first = readAhead.records
    for (let i = 0; i < 20; i++) load(readAhead, readAhead.records, readAhead.records)
    expect(readAhead.records).to.be.greaterThan(first).and.at.most(4096)
    for (let i = 0; i < 20; i++) load(readAhead, readAhead.records, 0)
    expect(readAhead.records).to.be.below(16).and.at.least(1)
    for (let i = 0; i < 20; i++) load(readAhead, readAhead.records, readAhead.records)
    expect(readAhead.records).to.be.greaterThan(first)
    expect(readAhead.bytes).to.be.greaterThan(readAhead.records)
  })

  it('brings nothing that cannot be kept', () => {
    const readAhead = new ReadAhead(false)
    for (let i = 0; i < 20; i++) load(readAhead, 0, 0)
    expect(readAhead.records).to.equal(0)
    expect(readAhead.bytes).to.equal(0)
  })
})
