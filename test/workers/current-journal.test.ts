import { readdirSync, readlinkSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MessagePort, Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { createJournal } from '../../src/journal/journal.js'
import { fileSystemOver, nodeFileSystem } from '../../src/journal/journal-file.js'
import type { SwitchOutcome } from '../../src/journal/packed-base.js'
import { CoordinatorClient } from '../../src/workers/coordinator-client.js'
import { CoordinatorThread, startCoordinatorWorker } from '../../src/workers/coordinator-thread.js'
import { CurrentJournal } from '../../src/workers/current-journal.js'
import type { CoordinatorWorkerData } from '../../src/workers/messages.js'
import { failure } from '../support/errors.js'
import { FreeingBinding } from '../support/freeing-binding.js'
import { makeReferenceBase } from '../support/reference-packer.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { textRecord } from '../support/test-journal.js'

/** The names of the files that the process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // The directory itself.
    }
  })
}

describe('CurrentJournal', () => {
  let directory: TemporaryDirectory
  let path: string
  let worker: Worker
  let thread: CoordinatorThread
  let journals: CurrentJournal[]
  let clients: CoordinatorClient[]

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    journals = []
    clients = []
    createJournal(nodeFileSystem, path, 'msgpack')
    thread = await CoordinatorThread.start(
      { path, durability: 'os', loadIndex: false, checkpointBytes: 1_000_000 },
      (data: CoordinatorWorkerData, transfer: MessagePort[]): Worker => {
        worker = startCoordinatorWorker(data, transfer)
        return worker
      },
    )
  })

  afterEach(async () => {
    for (const journal of journals) journal.release()
    for (const client of clients) client.disconnect()
    await thread.close()
    directory.remove()
  })

  function connect(): CoordinatorClient {
    const client = new CoordinatorClient(thread.connect(), path)
    clients.push(client)
    return client
  }

  function follow(client: CoordinatorClient, shared = thread.shared): CurrentJournal {
    const journal = new CurrentJournal(nodeFileSystem, client, shared, 64 * 1024)
    journals.push(journal)
    return journal
  }

  async function commit(client: CoordinatorClient, text: string, base: number): Promise<number | undefined> {
    const { tid } = await client.commit({ base, reads: [], writes: [{ oid: 0, data: textRecord(text) }] })
    return tid
  }

  function pack(client: CoordinatorClient, tid: number): Promise<SwitchOutcome> {
    const { base, removed } = makeReferenceBase(nodeFileSystem, path, tid)
    return client.switchTo({ base, removed, keepOld: false, maxTailBytes: 1000 })
  }

  it('is the new one as soon as a commit to it has been answered to somebody else', async () => {
    const [idle, busy] = [connect(), connect()]
    const [journal, other] = [follow(idle), follow(thread.client)]
    expect(await commit(busy, 'one', 0)).to.equal(1)
    const old = journal.view.retain()
    expect(await pack(busy, 1)).to.include({ switched: true, tid: 2 })
    expect(await commit(busy, 'two', 2)).to.equal(3)
    for (const each of [journal, other]) {
      each.refresh()
      expect(each.view.state.get('tid')).to.equal(3)
      expect(each.shared.generation).to.equal(1)
      expect(each.view.borrowed.descriptor).to.be.a('number')
    }
    expect(old.state.get('tid')).to.equal(1)
    expect(old.reader.load(0, old.index.get(0), 1)?.tid).to.equal(1)
    old.release()
  })

  it('lets go of the old file though nobody asks for the new one', async () => {
    const journal = follow(connect())
    await commit(thread.client, 'one', 0)
    const before = journal.view
    await pack(thread.client, 1)
    while (journal.view === before) await nextTurn()
    if (process.platform !== 'linux') return
    // Each thread has another one close it.
    while (openFiles().includes(`${path} (deleted)`)) await nextTurn()
    expect(openFiles()).to.include(path)
  })

  it('has the old file freed by another thread when its last snapshot is released', async () => {
    const calls = new FreeingBinding()
    const client = connect()
    const journal = new CurrentJournal(fileSystemOver(calls.binding), client, thread.shared)
    journals.push(journal)
    await commit(client, 'large '.repeat(50_000), 0)
    const snapshot = journal.view.retain()
    await pack(client, 1)
    journal.refresh()
    expect(journal.view).to.not.equal(snapshot)
    expect(calls.freed).to.be.empty
    snapshot.release()
    expect(calls.freed).to.deep.equal(['close'])
  })

  it('is found by a handle that was connected before a pack, or two, and opens the file after', async () => {
    await commit(thread.client, 'one', 0)
    const client = connect()
    await pack(thread.client, 1)
    expect(follow(client).view.state.get('tid')).to.equal(2)
    const late = connect()
    await pack(thread.client, 2)
    const journal = follow(late)
    expect(journal.shared.generation).to.equal(2)
    expect(journal.view.state.get('tid')).to.equal(3)
  })

  it('stays the old one when the new one is refused', async () => {
    const journal = follow(connect())
    await commit(thread.client, 'one', 0)
    const { base, removed } = makeReferenceBase(nodeFileSystem, path, 1)
    await commit(thread.client, 'two', 1)
    const outcome = await thread.client.switchTo({ base, removed, keepOld: false, maxTailBytes: 10 })
    expect(outcome).to.deep.equal({ switched: false, state: base.state, sourceEnd: base.sourceEnd })
    nodeFileSystem.unlink(base.path)
    const request = { base, removed, keepOld: false, maxTailBytes: 1000 }
    await failure('PERDURE_NOT_FOUND', () => thread.client.switchTo(request))
    journal.refresh()
    expect(journal.shared.generation).to.equal(0)
    expect(await commit(thread.client, 'three', 2)).to.equal(3)
  })

  it('lets nobody wait when the thread ends', async () => {
    await commit(thread.client, 'one', 0)
    const client = connect()
    const packed = pack(client, 1)
    const ended = worker.terminate()
    const outcome = await packed.then(
      ({ switched }) => switched,
      ({ code }) => code,
    )
    expect(outcome).to.be.oneOf([true, 'PERDURE_THREAD'])
    await ended
    await failure('PERDURE_THREAD', () => pack(client, 1))
  })
})
