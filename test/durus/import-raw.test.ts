import { chmodSync, copyFileSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { importDurusRaw, type RawImportProgress } from '../../src/durus/import-raw.js'
import { openDurusFile } from '../../src/durus/open.js'
import { type RunningServer, serve } from '../../src/server.js'
import { FileStorage } from '../../src/storages/index.js'
import { sqliteKind } from '../../src/storages/sqlite-kind.js'
import { condition } from '../support/condition.js'
import { DurusClient } from '../support/durus-client.js'
import { dfs20File, type FileObject, fileRecord, shelfFile } from '../support/durus-files.js'
import { DURUS_FIXTURES, durusFixture, expectUntouched } from '../support/durus-fixtures.js'
import { DURUS_ROOT, DurusStage } from '../support/durus-stage.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const ROOT_DATA = Buffer.from(DURUS_ROOT.data, 'latin1')

describe('importDurusRaw', () => {
  let directory: TemporaryDirectory
  const stage = new DurusStage()
  const servers: RunningServer[] = []
  const target = () => directory.join('new.perdure')

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(async () => {
    await stage.close()
    for (const server of servers.splice(0)) await server.stop()
    directory.remove()
  })

  async function connect(path: string): Promise<DurusClient> {
    const server = await serve(path, { listen: 'perdure://127.0.0.1:0' })
    servers.push(server)
    return DurusClient.connect(Number(new URL(server.addresses[0]?.url as string).port))
  }

  async function importBytes(bytes: Buffer) {
    const path = directory.join('a.durus')
    writeFileSync(path, bytes)
    const source = await openDurusFile(path)
    try {
      return await importDurusRaw(source, target())
    } finally {
      source.close()
    }
  }

  for (const name of DURUS_FIXTURES) {
    it(`makes of ${name} what a server gives to Durus clients byte for byte, and leaves the file alone`, async () => {
      const check = expectUntouched(durusFixture(name))
      const source = await openDurusFile(durusFixture(name))
      const report = await importDurusRaw(source, target())
      expect(report).to.deep.include({ objects: source.objects, tornBytes: source.tornBytes, dangling: [] })
      expect(report.classes.get('durus.btree.BTree')).to.equal(1)
      const oids = [...source.oids()]
      const expected = oids.map((oid) => fileRecord(source.load(oid) as FileObject))
      const client = await connect(target())
      expect(await client.bulkLoad(oids)).to.deep.equal(expected)
      await client.close()
      source.close()
      check()
    })
  }

  it('makes a database of another kind as well, and takes oids there that a file would have to make much room for', async () => {
    const far = { oid: 2 ** 40, data: Buffer.from('far') }
    writeFileSync(
      directory.join('a.durus'),
      dfs20File([], [[{ oid: 0, data: ROOT_DATA, references: [far.oid] }, far]]).bytes,
    )
    const source = await openDurusFile(directory.join('a.durus'))
    await importDurusRaw(source, target(), { kind: sqliteKind })
    source.close()
    const client = await connect(target())
    expect(await client.load(far.oid)).to.deep.equal(fileRecord(far))
    expect(await client.newOid()).to.equal(far.oid + 1)
    await client.close()
  })

  it('makes a database that Durus clients go on changing, and that can be packed', async () => {
    const source = await openDurusFile(durusFixture('shelf'))
    await importDurusRaw(source, target())
    const taken = new Set(source.oids())
    const root = source.load(0) ?? expect.fail('there is no root')
    source.close()
    const server = await stage.start({}, await FileStorage.open(target()))
    const client = await stage.connect(server)
    const added = await client.newOids(200)
    expect(added.filter((oid) => taken.has(oid))).to.deep.equal([])
    expect(new Set(added).size).to.equal(200)
    const [kept, lost] = added as [number, number]
    const thing = { data: 'thing' }
    const data = Buffer.from(root.data).toString('latin1')
    expect(await client.load(0)).to.deep.equal(fileRecord(root))
    const changed = { oid: 0, data, references: [...root.references, kept] }
    expect(await client.commit(changed, { oid: kept, ...thing }, { oid: lost, ...thing })).to.equal('O')
    expect(await client.pack()).to.equal('O')
    await condition(() => server.count('packed') === 1)
    expect(await client.commit({ ...changed, oid: 0 })).to.equal('O')
    await stage.close()

    await using storage = await FileStorage.open(target())
    const { classes, objects, problems } = await storage.verify()
    // 20 accounts and the list that held them were garbage, and so was `lost`.
    expect([problems, objects, classes.get('fixture_model.Account')]).to.deep.equal([[], taken.size - 21 + 1, 300])
    expect(storage.allocateOids(1)).to.be.greaterThan(Math.max(...taken, lost))
  })

  it('keeps references that lead nowhere, says which, and never makes a new object of what they lead to', async () => {
    const objects = [
      { oid: 0, data: ROOT_DATA, references: [1, 70] },
      { oid: 1, data: Buffer.from('one'), references: [1, 90, 0] },
    ]
    const report = await importBytes(shelfFile([], [objects]).bytes)
    expect(report).to.deep.include({
      dangling: [
        { oid: 0, reference: 70 },
        { oid: 1, reference: 90 },
      ],
      danglingCount: 2,
    })
    expect(Object.fromEntries(report.classes)).to.deep.equal({ 'durus.persistent_dict.PersistentDict': 1, pickle: 1 })
    const client = await connect(target())
    expect(await client.load(1)).to.deep.equal(fileRecord(objects[1] as FileObject))
    expect(await client.load(70)).to.equal('K')
    expect(await client.newOid()).to.be.greaterThan(90)
    await client.close()
  })

  it('keeps references to what no object will ever be, with which it is verified and packed', async () => {
    const objects = [{ oid: 0, data: ROOT_DATA, references: [2 ** 53 - 1, 2 ** 40] }]
    await importBytes(shelfFile([], [objects]).bytes)
    const server = await stage.start({}, await FileStorage.open(target()))
    const client = await stage.connect(server)
    expect((await server.storage.verify()).problems).to.containSubset([
      { kind: 'dangling-reference', oid: 0 },
      { kind: 'dangling-reference', oid: 0 },
    ])
    expect(await client.pack()).to.equal('O')
    await condition(() => server.count('packed') === 1)
    expect(await client.newOid()).to.equal(1)
    await client.close()
  })

  it('makes an empty database of an empty file, of which the first client makes the root', async () => {
    expect(await importBytes(shelfFile([], []).bytes)).to.include({ objects: 0, bytes: 0 })
    const client = await connect(target())
    expect(await client.load(0)).to.equal('K')
    expect(await client.newOid()).to.equal(0)
    expect(await client.commit(DURUS_ROOT)).to.equal('O')
    await client.close()
  })

  it('tells how far it is', async () => {
    const objects = Array.from({ length: 9000 }, (_, oid) => ({ oid, data: Buffer.from(`object ${oid}`) }))
    writeFileSync(directory.join('a.durus'), shelfFile(objects, []).bytes)
    const source = await openDurusFile(directory.join('a.durus'))
    const told: RawImportProgress[] = []
    await importDurusRaw(source, target(), { onProgress: (progress) => told.push(progress) })
    source.close()
    const counts = [4096, 8192, 9000]
    expect(told).to.deep.equal(
      (['copy', 'check'] as const).flatMap((phase) =>
        counts.map((objects) => ({ phase, objects, objectsTotal: 9000 })),
      ),
    )
  })

  it('leaves nothing if it is stopped, and the signal says why', async () => {
    for (const stopAt of ['copy', 'check'] as const) {
      const source = await openDurusFile(durusFixture('shelf'))
      const reason = new Error('enough')
      const stop = new AbortController()
      const onProgress = ({ phase }: RawImportProgress) => phase === stopAt && stop.abort(reason)
      let thrown: unknown
      try {
        await importDurusRaw(source, target(), { signal: stop.signal, onProgress })
      } catch (error) {
        thrown = error
      }
      expect(thrown).to.equal(reason)
      expect(readdirSync(directory.path)).to.deep.equal([])
      source.close()
    }
  })

  it('leaves nothing if the source turns out to be damaged, or an object does not fit', async () => {
    const bytes = shelfFile([], [[{ oid: 0, data: ROOT_DATA }], [{ oid: 1, data: Buffer.alloc(100) }]]).bytes
    const path = directory.join('a.durus')
    writeFileSync(path, bytes)
    const source = await openDurusFile(path)
    writeFileSync(path, bytes.subarray(0, bytes.length - 1))
    const error = await failure('PERDURE_CORRUPTION', () => importDurusRaw(source, target()))
    expect(error.details.offset).to.equal(bytes.length - 1)
    source.close()
    const far = [
      { oid: 0, data: ROOT_DATA },
      { oid: 2 ** 52, data: ROOT_DATA },
    ]
    expect((await failure('PERDURE_LIMIT', () => importBytes(shelfFile([], [far]).bytes))).details.oid).to.equal(
      2 ** 52,
    )
    const large = [{ oid: 0, data: Buffer.alloc(64 * 1024 * 1024 + 1) }]
    await failure('PERDURE_RECORD_TOO_LARGE', () => importBytes(shelfFile([], [large]).bytes))
    expect(readdirSync(directory.path)).to.deep.equal(['a.durus'])
  })

  it('replaces nothing, and lets nobody read more than the source does', async () => {
    const path = directory.join('a.durus')
    copyFileSync(durusFixture('shelf'), path)
    chmodSync(path, 0o640)
    const source = await openDurusFile(path)
    await importDurusRaw(source, directory.join('copy'))
    expect(statSync(directory.join('copy')).mode & 0o137).to.equal(0)
    writeFileSync(target(), 'mine')
    await failure('PERDURE_ARGUMENT', () => importDurusRaw(source, target()))
    source.close()
    expect(statSync(target()).size).to.equal(4)
    expect(existsSync(`${target()}.converting`)).to.equal(false)
  })
})
