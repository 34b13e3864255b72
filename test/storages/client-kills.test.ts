import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { ROOT_OID, type Tid } from '../../src/core/oid.js'
import { encodeRecord } from '../../src/core/record.js'
import type { CommitResult } from '../../src/core/storage.js'
import { open } from '../../src/open.js'
import { parseAddress } from '../../src/server/address.js'
import type { ClientStorageOptions } from '../../src/storages/client/client-options.js'
import { ClientStorage } from '../../src/storages/client.js'
import { Detour } from '../support/detour.js'
import { failure } from '../support/errors.js'
import { type RunningServer, Servers } from '../support/servers.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const COUNTING_CLIENT = fileURLToPath(new URL('../support/counting-client.js', import.meta.url))

describe('A server that is killed', () => {
  let directory: TemporaryDirectory
  let servers: Servers
  let server: RunningServer
  let cleanups: (() => Promise<unknown>)[]

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    cleanups = []
    servers = new Servers()
    server = await serve({ port: 0 })
  })

  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
    await servers.kill()
    directory.remove()
  })

  function serve(address: { readonly port: number }): Promise<RunningServer> {
    return servers.serve({ path: directory.join('a.perdure'), databaseId: 'the same', address })
  }

  /** Another process takes over the file and the address. */
  async function restart(): Promise<void> {
    await servers.kill()
    servers = new Servers()
    const address = parseAddress(server.url)
    await serve({ port: address.kind === 'tcp' ? address.port : 0 })
  }

  async function connect(url = server.url, options: ClientStorageOptions = {}): Promise<ClientStorage> {
    const storage = await ClientStorage.connect(url, options)
    cleanups.push(() => storage.close())
    return storage
  }

  async function startDetour(): Promise<Detour> {
    const detour = await Detour.start(server.url)
    cleanups.push(() => detour.close())
    return detour
  }

  function commit(storage: ClientStorage, base: Tid): Promise<CommitResult> {
    return storage.commit({
      base,
      reads: [],
      writes: [{ oid: ROOT_OID, data: encodeRecord('Text', [], Buffer.from('x')) }],
    })
  }

  function newest(storage: ClientStorage): Tid {
    const snapshot = storage.snapshot()
    snapshot.release()
    return snapshot.tid
  }

  it('after it has stored a commit, and before it has said so, is asked when it is there again', async () => {
    const detour = await startDetour()
    const storage = await connect(detour.url)
    const witness = await connect()
    detour.hold()
    const committing = commit(storage, 0)
    // It is stored now; the answer does not get through.
    for (let tid = 0; tid < 1; tid = newest(witness)) await new Promise((resolve) => setImmediate(resolve))
    await restart()
    expect(await committing).to.deep.equal({ tid: 1 })
    expect(newest(await connect())).to.equal(1)
  })

  it('before a commit has reached it, has not stored that', async () => {
    const detour = await startDetour()
    const storage = await connect(detour.url)
    detour.doom({ direction: 'up', bytes: 10 })
    const committing = failure('PERDURE_DISCONNECTED', () => commit(storage, 0))
    await restart()
    await committing
    expect(newest(await connect())).to.equal(0)
  })

  it('and is not there again in time leaves a commit in doubt', async () => {
    const detour = await startDetour()
    const storage = await connect(detour.url, { timeoutMs: 400 })
    detour.hold()
    const token = Uint8Array.from({ length: 16 }, (_, i) => i)
    const data = encodeRecord('Text', [], Buffer.from('x'))
    const committing = failure('PERDURE_IN_DOUBT', () =>
      storage.commit({ base: 0, reads: [], writes: [{ oid: ROOT_OID, data }], token }),
    )
    await new Promise((resolve) => setImmediate(resolve))
    await servers.kill()
    const { details } = await committing
    expect(details['token']).to.equal('000102030405060708090a0b0c0d0e0f')
    await failure('PERDURE_DISCONNECTED', () => commit(storage, 0))
    await failure('PERDURE_TIMEOUT', () => storage.snapshot())
  })

  it('has lost its snapshots, and is connected to again by the next one', async () => {
    const storage = await connect()
    await commit(storage, 0)
    const held = storage.snapshot()
    expect(held.load(ROOT_OID)?.tid).to.equal(1)
    await servers.kill()
    expect(held.load(ROOT_OID)?.tid, 'what is in the cache can still be read').to.equal(1)
    await failure('PERDURE_DISCONNECTED', () => held.load(1))
    await failure('PERDURE_DISCONNECTED', () => held.loadMany([1]))
    await restart()
    expect(newest(storage)).to.equal(1)
    await failure('PERDURE_DISCONNECTED', () => held.load(ROOT_OID))
    held.release()
    expect(storage.changes(0, 1), 'nobody knows what happened meanwhile').to.equal(undefined)
    expect(await commit(storage, 1)).to.deep.equal({ tid: 2 })
    expect(storage.changes(1, 2)).to.deep.equal([ROOT_OID])
  })

  it('does not get objects whose oids it may have given to somebody else', async () => {
    const storage = await connect()
    const { oidEpoch } = storage
    const oid = storage.allocateOids(1)
    await restart()
    expect(newest(storage)).to.equal(0)
    expect(storage.oidEpoch).not.to.equal(oidEpoch)
    const data = encodeRecord('Text', [], Buffer.from('x'))
    await failure('PERDURE_DISCONNECTED', () => storage.commit({ base: 0, reads: [], writes: [{ oid, data }] }))
    const fresh = storage.allocateOids(1)
    expect(fresh).to.be.greaterThan(oid)
    expect((await storage.commit({ base: 0, reads: [], writes: [{ oid: fresh, data }] })).tid).to.equal(1)
    expect((await storage.commit({ base: 1, reads: [], writes: [{ oid: fresh, data }] })).tid).to.equal(2)
  })

  it('and comes back with another database is not used any more', async () => {
    const storage = await connect()
    await servers.kill()
    servers = new Servers()
    const address = parseAddress(server.url)
    await servers.serve({ address: { port: address.kind === 'tcp' ? address.port : 0 } })
    await failure('PERDURE_CLOSED', () => storage.snapshot())
    await failure('PERDURE_CLOSED', () => commit(storage, 0))
  })

  it('and comes back with an older state is not used any more', async () => {
    const storage = await connect()
    await commit(storage, 0)
    expect(newest(storage)).to.equal(1)
    await servers.kill()
    directory.remove()
    directory = new TemporaryDirectory()
    await restart()
    await failure('PERDURE_CLOSED', () => storage.snapshot())
    await failure('PERDURE_CLOSED', () => storage.snapshot())
  })

  it('takes no transaction that was read from the one before', async () => {
    const storage = await connect()
    await commit(storage, 0)
    expect(newest(storage)).to.equal(1)
    // A backup takes its place, to which others have committed by now.
    await servers.kill()
    directory.remove()
    directory = new TemporaryDirectory()
    await restart()
    const other = await connect()
    expect((await commit(other, 0)).tid).to.equal(1)
    // Connects again, as a transaction does that makes objects.
    storage.allocateOids(1)
    await failure('PERDURE_DISCONNECTED', () => commit(storage, 1))
    expect((await commit(other, 1)).tid).to.equal(2)
    expect(newest(storage)).to.equal(2)
    await failure('PERDURE_DISCONNECTED', () => commit(storage, 1))
    expect((await commit(storage, 2)).tid).to.equal(3)
  })

  it('again and again loses and doubles no transaction of those who repeat what was not stored', async () => {
    const client = spawn(process.execPath, [COUNTING_CLIENT, server.url], { stdio: ['pipe', 'pipe', 'inherit'] })
    cleanups.push(async () => client.kill('SIGKILL'))
    const lines = createInterface(client.stdout)[Symbol.asyncIterator]()
    let stored = 0
    const count = (line: string) => {
      expect(line, 'the history tells what became of each').to.equal('stored')
      stored++
    }
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20 + round; i++) count((await lines.next()).value)
      await restart()
    }
    client.stdin.end()
    for (let line = await lines.next(); !line.done; line = await lines.next()) count(line.value)
    if (client.exitCode === null) await once(client, 'exit')
    expect(client.exitCode).to.equal(0)
    await using database = await open<{ count: number }>(server.url)
    const counted = await database.view((root) => root.get('count') as number)
    expect(counted).to.equal(stored)
  })
})
