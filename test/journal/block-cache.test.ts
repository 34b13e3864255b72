import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { BLOCK_BYTES, BlockCache } from '../../src/journal/block-cache.js'
import type { OpenFile } from '../../src/journal/journal-file.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const BLOCKS = 40

describe('BlockCache', () => {
  let directory: TemporaryDirectory
  let disk: FaultyFileSystem
  let file: OpenFile
  const content = Buffer.from(Array.from({ length: BLOCKS * BLOCK_BYTES }, (_, i) => (i * 7 + (i >> 8)) & 255))

  beforeEach(() => {
    directory = new TemporaryDirectory()
    writeFileSync(directory.join('a'), content)
    disk = new FaultyFileSystem()
    file = disk.open(directory.join('a'), 'read')
  })

  afterEach(() => {
    file.close()
    directory.remove()
  })

  it('gives the bytes of the file, as far as it has been published', () => {
    const step = fc.record({
      block: fc.nat(BLOCKS - 1),
      to: fc.integer({ min: 1, max: BLOCK_BYTES }),
      grow: fc.nat(3 * BLOCK_BYTES),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 20 }), (steps, blocks) => {
        const cache = new BlockCache(file, blocks * BLOCK_BYTES)
        let end = 0
        for (const { block, to, grow } of steps) {
          end = Math.min(content.length, end + grow)
          const start = block * BLOCK_BYTES
          const found = cache.find(block, to, end)
          if (start + to > end) expect(found).to.equal(-1)
          else
            expect(cache.bytes.subarray(found, found + to).equals(content.subarray(start, start + to))).to.equal(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('reads a block once while there is room, and a grown one again', () => {
    const cache = new BlockCache(file, 8 * BLOCK_BYTES)
    for (let round = 0; round < 3; round++)
      for (let block = 0; block < 8; block++) cache.find(block, 10, content.length)
    expect(disk.count('read')).to.equal(8)
    const fresh = new BlockCache(file, 8 * BLOCK_BYTES)
    expect(fresh.find(0, 10, 100)).to.not.equal(-1)
    expect(fresh.find(0, 200, 100)).to.equal(-1)
    expect(fresh.find(0, 200, 300)).to.not.equal(-1)
    expect(fresh.bytes.subarray(0, 300).equals(content.subarray(0, 300))).to.equal(true)
  })

  it('keeps what is used over what is not', () => {
    // One set of four places: blocks 0 to 3 are used again and again while others pass through.
    const cache = new BlockCache(file, 4 * BLOCK_BYTES)
    cache.find(0, 10, content.length)
    for (let block = 1; block < BLOCKS; block++) {
      cache.find(block, 10, content.length)
      cache.find(0, 10, content.length)
    }
    const reads = disk.count('read')
    cache.find(0, 10, content.length)
    expect(disk.count('read'), 'block 0 is there').to.equal(reads)
    expect(reads, 'and was read few times').to.be.lessThan(BLOCKS + BLOCKS / 4 + 2)
  })

  it('does not take a block that could not be read for one that is there', () => {
    const cache = new BlockCache(file, 4 * BLOCK_BYTES)
    cache.find(1, 10, content.length)
    disk.fault = () => 'EIO'
    for (let i = 0; i < 3; i++) {
      for (const block of [5, 9, 13, 17]) {
        expect(() => cache.find(block, 10, content.length))
          .to.throw()
          .with.property('code', 'PERDURE_IO')
      }
    }
    disk.fault = () => undefined
    for (const block of [1, 5, 9, 13, 17]) {
      const found = cache.find(block, BLOCK_BYTES, content.length)
      const start = block * BLOCK_BYTES
      expect(
        cache.bytes.subarray(found, found + BLOCK_BYTES).equals(content.subarray(start, start + BLOCK_BYTES)),
      ).to.equal(true)
    }
  })

  it('has at least one set, however little memory it is given', () => {
    expect(new BlockCache(file, 1).bytes).to.have.length(4 * BLOCK_BYTES)
  })
})
