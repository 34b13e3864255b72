import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { realEngine } from './engine.js'
import { MainThreadStorage } from './main-thread-storage.js'
import { type Operation, SimulatedDisk } from './simulated-disk.js'
import { PATH } from './workload.js'

const SETTINGS = { path: PATH, durability: 'fsync', loadIndex: false, checkpointBytes: 2 ** 30 } as const

/** What takes space: new files, and bytes behind the end of what was written. A longer size alone takes none. */
function takesSpace({ type, position = 0 }: Operation): boolean {
  return type === 'create' || (type === 'write' && position > 0)
}

describe('A full disk', () => {
  let disk: SimulatedDisk
  let storage: MainThreadStorage

  function commit(text: string) {
    const writes = [{ oid: 0, data: encodeRecord('Text', [], Buffer.from(text)) }]
    return storage.commit([{ base: storage.tid, reads: [], writes }])[0]
  }

  function textIn(found: { data: Uint8Array } | undefined): string | undefined {
    return found === undefined ? undefined : Buffer.from(decodeRecord(found.data).state).toString()
  }

  beforeEach(() => {
    disk = new SimulatedDisk()
    storage = new MainThreadStorage(disk, SETTINGS)
    commit('first')
    commit('second')
    disk.onFault = (operation) => (takesSpace(operation) ? { code: 'ENOSPC', writtenBytes: 10 } : undefined)
  })

  it('refuses commits and names the reason, and all that was there can be read', () => {
    const outcome = commit('third')
    expect(outcome).to.have.nested.property('error.code', 'PERDURE_POISONED')
    expect(outcome).to.have.nested.property('error.message').that.includes('Free some space on the disk')
    expect(outcome).to.have.nested.property('cause.code', 'PERDURE_NO_SPACE')
    expect([textIn(storage.load(0)), textIn(storage.load(0, 1))]).to.deep.equal(['second', 'first'])
    storage.close()
  })

  it('can be opened for reading by others', () => {
    commit('third')
    storage.close()
    const { index, reader, state } = new realEngine.JournalFollower(disk, PATH, false, 65_536).view
    expect(textIn(reader.load(0, index.get(0), state.get('tid')))).to.equal('second')
  })

  it('takes commits again once there is room and the storage has been opened again', () => {
    commit('third')
    storage.close()
    disk.onFault = undefined
    storage = new MainThreadStorage(disk, SETTINGS)
    expect(textIn(storage.load(0))).to.equal('second')
    expect(commit('fourth')).to.deep.equal({ tid: 3 })
    storage = new MainThreadStorage(new SimulatedDisk(disk.afterWorstPowerCut()), SETTINGS)
    expect(textIn(storage.load(0))).to.equal('fourth')
  })

  it('still closes in good order if nothing was refused, though without a checkpoint', () => {
    storage.close()
    disk.onFault = undefined
    storage = new MainThreadStorage(disk, SETTINGS)
    expect(storage.recovery.checkpoint).to.equal('missing')
    expect(textIn(storage.load(0))).to.equal('second')
  })

  it('has no room for a new database, and says so', () => {
    const other = { ...SETTINGS, path: '/simulated/other' }
    expect(() => new MainThreadStorage(disk, other))
      .to.throw(PerdureError, 'Free some space')
      .with.property('code', 'PERDURE_NO_SPACE')
  })
})
