import { expect } from 'chai'
import { OidAllocator } from '../../src/core/oid-allocator.js'
import type { Storage } from '../../src/core/storage.js'
import { MemoryStorage } from '../../src/storages/memory.js'

describe('OidAllocator', () => {
  it('gives out every oid that it has reserved, and reserves more as more are needed', () => {
    const oids = new OidAllocator(new MemoryStorage())
    expect(Array.from({ length: 1000 }, () => oids.next())).to.deep.equal(Array.from({ length: 1000 }, (_, i) => i + 1))
  })

  it('gives out none that were reserved at a server that has been started anew', () => {
    let reserved = 0
    const storage = {
      oidEpoch: 0,
      allocateOids: (count: number) => {
        reserved += count
        return reserved - count
      },
    }
    const oids = new OidAllocator(storage as unknown as Storage)
    expect([oids.next(), oids.next()]).to.deep.equal([0, 1])
    const before = reserved
    storage.oidEpoch++
    expect(oids.next()).to.equal(before)
    expect(oids.next()).to.equal(before + 1)
  })
})
