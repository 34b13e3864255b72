import { expect } from 'chai'
import { ROOT_OID } from '../../src/core/oid.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { atNewest, commit, rejectsWith, throwsWith, write } from '../../src/testing/suite-context.js'

describe('MemoryStorage', () => {
  it('refuses arguments that no storage could honour', async () => {
    const storage = new MemoryStorage()
    const twice = [write(1, 'a'), write(1, 'b')]
    throwsWith('PERDURE_ARGUMENT', () => new MemoryStorage({ serializer: 'no such name' }))
    for (const count of [0, -1, 1.5, Number.NaN]) throwsWith('PERDURE_ARGUMENT', () => storage.allocateOids(count))
    throwsWith('PERDURE_LIMIT', () => storage.allocateOids(Number.MAX_SAFE_INTEGER))
    await rejectsWith('PERDURE_ARGUMENT', () => storage.commit({ base: 0, reads: [], writes: twice }))
    await rejectsWith('PERDURE_ARGUMENT', () => storage.commit({ base: 0, reads: [-1], writes: [] }))
    await rejectsWith('PERDURE_ARGUMENT', () => storage.commit({ base: 0, reads: [], writes: [write(0.5, '')] }))
    await rejectsWith('PERDURE_ARGUMENT', () => storage.commit({ base: 7, reads: [], writes: [] }))
    expect(storage.statistics().commits).to.equal(0)
    await storage.close()
  })

  it('does not give out an oid that was committed without having been allocated', async () => {
    const storage = new MemoryStorage()
    await commit(storage, [write(5, 'five')])
    expect(storage.allocateOids(1)).to.equal(6)
    await storage.close()
  })

  it('is neither answered nor changed before the next turn', async () => {
    const storage = new MemoryStorage()
    let answered = false
    const pending = commit(storage, [write(ROOT_OID, 'root')]).then(() => {
      answered = true
    })
    for (let i = 0; i < 20; i++) await Promise.resolve()
    expect(answered).to.equal(false)
    expect(atNewest(storage, (snapshot) => snapshot.tid)).to.equal(0)
    await pending
    await storage.close()
  })

  it('keeps superseded versions only while a snapshot sees them', async () => {
    const storage = new MemoryStorage()
    const text = 't'.repeat(1000)
    const held = []
    for (let round = 0; round < 10; round++) {
      await commit(storage, [write(ROOT_OID, text)])
      held.push(storage.snapshot())
      await commit(storage, [write(ROOT_OID, text)])
    }
    const size = write(ROOT_OID, text).data.length
    expect(storage.statistics().bytes).to.equal(11 * size)
    for (const [at, snapshot] of held.sort((a, b) => (a.tid % 3) - (b.tid % 3)).entries()) {
      snapshot.release()
      expect(storage.statistics().bytes).to.equal((10 - at) * size)
    }
    await storage.close()
  })

  it('packs nothing when the progress function throws, and says what it has packed if that comes too late', async () => {
    const storage = new MemoryStorage()
    await commit(storage, [write(ROOT_OID, 'root'), write(storage.allocateOids(1), 'garbage')])
    const throwAt = (at: string) => ({
      onProgress({ phase }: { phase: string }) {
        if (phase === at) throw new Error('mine')
      },
    })
    expect(await storage.pack(throwAt('mark')).catch((error: Error) => error.message)).to.equal('mine')
    expect(storage.statistics()).to.include({ objects: 2, tid: 1 })
    expect(await storage.pack(throwAt('switch'))).to.include({ objectsBefore: 2, objectsAfter: 1 })
    expect(storage.statistics()).to.include({ objects: 1, tid: 2 })
    await storage.close()
  })

  it('forgets objects that were packed away with the last snapshot that saw them', async () => {
    const storage = new MemoryStorage()
    const lost = storage.allocateOids(1)
    await commit(storage, [write(ROOT_OID, 'root'), write(lost, 'lost'.repeat(100))])
    const held = storage.snapshot()
    await storage.pack()
    expect(storage.statistics()['objects']).to.equal(1)
    expect(atNewest(storage, (snapshot) => snapshot.load(lost))).to.equal(undefined)
    expect(held.load(lost)?.oid).to.equal(lost)
    held.release()
    expect(storage.statistics().bytes).to.equal(write(ROOT_OID, 'root').data.length)
    await storage.close()
  })

  it('remembers a bounded number of changes', async () => {
    const storage = new MemoryStorage()
    const first = storage.allocateOids(100_000)
    const writes = Array.from({ length: 100_000 }, (_, i) => write(first + i, ''))
    for (let round = 0; round < 4; round++) await commit(storage, writes)
    expect(storage.changes(0, 4)).to.equal(undefined)
    expect(new Set(storage.changes(2, 4)).size).to.equal(100_000)
    await storage.close()
  })
})
