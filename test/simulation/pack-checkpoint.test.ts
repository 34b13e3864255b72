import { expect } from 'chai'
import { encodeRecord } from '../../src/core/record.js'
import { MainThreadStorage } from './main-thread-storage.js'
import { type DiskImage, SimulatedDisk } from './simulated-disk.js'
import { PATH } from './workload.js'

const SETTINGS = { path: PATH, durability: 'fsync', loadIndex: false, checkpointBytes: 2 ** 30 } as const
const COMMITS = 30

describe('The checkpoint of a packed journal', () => {
  let disk: SimulatedDisk
  let storage: MainThreadStorage

  function commit(size: number): void {
    const writes = [{ oid: 0, data: encodeRecord('A', [], Buffer.alloc(size, storage.tid)) }]
    storage.commit([{ base: storage.tid, reads: [], writes }])
  }

  function recoveryOf(image: DiskImage) {
    const opened = new MainThreadStorage(new SimulatedDisk(image), SETTINGS)
    expect(opened.tid).to.be.within(COMMITS, storage.tid)
    expect(opened.load(0)?.tid).to.equal(storage.load(0)?.tid)
    return opened.recovery
  }

  /** Keeps all history, so that without the checkpoint all of it would have to be replayed. */
  function pack(switchBytes = 1000) {
    return storage.pack({ retain: { tid: 1 }, tuning: { switchBytes } })
  }

  beforeEach(() => {
    disk = new SimulatedDisk()
    storage = new MainThreadStorage(disk, SETTINGS)
    for (let i = 0; i < COMMITS; i++) commit(200)
  })

  it('is used by whoever opens it when the writer was killed at once, or the power went', async () => {
    expect(await pack().finish()).to.have.property('result')
    for (const image of [disk.afterKill(), disk.afterWorstPowerCut()]) {
      const { checkpoint, transactionsReplayed } = recoveryOf(image)
      expect(checkpoint).to.equal('used')
      // What was left to the switch, and its own transaction.
      expect(transactionsReplayed).to.be.within(1, 4)
    }
    expect(storage.hasWork, 'there is no other to be written').to.equal(false)
  })

  it('covers what has been copied before it, and what comes later is replayed', async () => {
    const packing = pack()
    for (let i = 0; packing.end === undefined; i++) {
      if (i < 20) commit(300)
      await packing.step()
    }
    expect(packing.end).to.have.property('result')
    const { checkpoint, transactionsReplayed } = recoveryOf(disk.afterKill())
    expect(checkpoint).to.equal('used')
    expect(transactionsReplayed).to.be.within(1, 20)
  })

  it('does no harm when only one of the two has its place', async () => {
    const images: DiskImage[] = []
    disk.onOperation = ({ type }) => {
      if (type === 'rename') images.push(disk.afterKill())
    }
    expect(await pack().finish()).to.have.property('result')
    const [, switched] = images
    expect(images.length, 'of the checkpoint, of the journal, and of the checkpoint again').to.equal(3)
    expect(recoveryOf(switched as DiskImage).checkpoint).to.equal('missing')
  })

  it('is done without if it cannot be written, and made after the switch', async () => {
    disk.onFault = ({ path }) => (path.startsWith(`${PATH}.pack.index`) ? { code: 'ENOSPC' } : undefined)
    expect(await pack().finish()).to.have.property('result')
    expect(recoveryOf(disk.afterKill()).checkpoint).to.equal('missing')
    while (storage.hasWork) storage.work()
    expect(recoveryOf(disk.afterKill())).to.include({ checkpoint: 'used', transactionsReplayed: 0 })
  })
})
