import { expect } from 'chai'
import type { Oid } from '../../src/core/oid.js'
import { FrameReader } from '../../src/server/protocol/frame-reader.js'
import { decodeServerMessage } from '../../src/server/protocol/message-frames.js'
import { ReadAhead } from '../../src/server/read-ahead.js'
import { atNewest, write } from '../../src/testing/suite-context.js'
import { CountingStorage } from '../support/counting-storage.js'
import { thrownBy } from '../support/errors.js'

describe('ReadAhead', () => {
  let storage: CountingStorage
  let ahead: ReadAhead

  beforeEach(() => {
    storage = new CountingStorage()
    ahead = new ReadAhead(Number.POSITIVE_INFINITY)
  })

  afterEach(() => storage.close())

  /** A tree in which every node down to `depth` has `width` children: oid `n` has `n * width + 1` and so on. */
  async function grow(width: number, depth: number, text = 'node'): Promise<number> {
    let inner = 0
    for (let level = 0; level < depth; level++) inner = inner * width + 1
    const nodes = inner * width + 1
    const children = (oid: Oid) => Array.from({ length: width }, (_, i) => oid * width + 1 + i)
    const writes = Array.from({ length: nodes }, (_, oid) => write(oid, text, oid < inner ? children(oid) : []))
    await storage.commit({ base: storage.statistics().tid, reads: [], writes })
    return nodes
  }

  function load(oid: Oid, aheadRecords: number, aheadBytes = 1_000_000): Oid[][] {
    const order = { request: 1, oid, aheadRecords, aheadBytes, limitBytes: 1_000_000 }
    const { frames, records } = atNewest(storage, (snapshot) => ahead.load(snapshot, order))
    const parts = frames.map(oidsOf)
    expect(parts.flat()).to.have.length(records)
    return parts
  }

  it('sends what an object refers to, breadth-first, after it', async () => {
    await grow(2, 3)
    expect(load(0, 6)).to.deep.equal([[0, 1, 2, 3, 4, 5, 6]])
    expect(load(7, 0)).to.deep.equal([[7]])
    expect(load(99, 5)).to.deep.equal([])
  })

  it('keeps to the number of records and of bytes', async () => {
    await grow(4, 1, 'x'.repeat(1000))
    expect(load(0, 2)).to.deep.equal([[0, 1, 2]])
    ahead.forget()
    expect(load(0, 100, 2500)).to.deep.equal([[0, 1, 2]])
    ahead.forget()
    expect(load(0, 100, 0)).to.deep.equal([[0]])
  })

  it('leaves out what it has sent, unless it has changed, but never what is asked for', async () => {
    await grow(2, 2)
    expect(load(0, 2)).to.deep.equal([[0, 1, 2]])
    await storage.commit({ base: 1, reads: [], writes: [write(2, 'new')] })
    await storage.commit({ base: 2, reads: [], writes: [write(0, 'new', [1, 2])] })
    expect(load(0, 2)).to.deep.equal([[0, 2]])
    expect(load(1, 2)).to.deep.equal([[1, 3, 4]])
  })

  it('sends everything anew to who asks for what it was sent', async () => {
    await grow(2, 1)
    expect(load(0, 5)).to.deep.equal([[0, 1, 2]])
    expect(load(0, 5)).to.deep.equal([[0, 1, 2]])
  })

  it('goes on with the neighbours of an object for which there was no room before', async () => {
    await grow(10, 2)
    expect(load(0, 10)).to.deep.equal([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])
    expect(load(11, 4)).to.deep.equal([[11, 12, 13, 14, 15]])
    expect(load(31, 3)).to.deep.equal([[31, 32, 33, 34]])
  })

  it('lets a client go through a whole tree in few turns', async () => {
    const nodes = await grow(20, 3)
    const have = new Set<Oid>()
    let asked = 0
    const visit = (oid: Oid) => {
      if (!have.has(oid)) {
        asked++
        for (const sent of load(oid, 64).flat()) have.add(sent)
      }
      const [first, last] = [oid * 20 + 1, oid * 20 + 20]
      if (last < nodes) for (let child = first; child <= last; child++) visit(child)
    }
    visit(0)
    expect(have.size).to.equal(nodes)
    expect(asked).to.be.below(nodes / 20)
  })

  it('cuts a long answer into parts', async () => {
    await grow(6, 1, 'x'.repeat(100_000))
    expect(load(0, 6, 2_000_000)).to.deep.equal([[0, 1, 2], [3, 4, 5], [6]])
  })

  it('sends the object even if what it refers to cannot be read', async () => {
    await grow(3, 1)
    storage.damaged.add(2)
    expect(load(0, 5)).to.deep.equal([[0, 1]])
    expect(thrownBy(() => load(2, 5)).code).to.equal('PERDURE_CORRUPTION')
  })

  it('refuses an object that is longer than a frame', async () => {
    await grow(1, 1, 'x'.repeat(1000))
    const order = { request: 1, oid: 0, aheadRecords: 0, aheadBytes: 0, limitBytes: 500 }
    expect(thrownBy(() => atNewest(storage, (snapshot) => ahead.load(snapshot, order))).code).to.equal('PERDURE_LIMIT')
  })
})

function oidsOf(frame: Buffer): Oid[] {
  const reader = new FrameReader(frame.length)
  reader.push(frame)
  const read = reader.next()
  if (read === undefined) throw new Error('the frame must be complete')
  const { message } = decodeServerMessage(read)
  return message.type === 'recordsPart' ? message.records.map((record) => record?.oid ?? -1) : []
}
