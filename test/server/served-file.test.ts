import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import type { Oid } from '../../src/core/oid.js'
import { anonymous } from '../../src/server/authentication.js'
import { FileStorage } from '../../src/storages/file.js'
import { textOf, write } from '../../src/testing/suite-context.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { type ProtocolClient, recordsOf, TestServer } from '../support/test-server.js'

const OBJECTS = 3000

describe('A served file', () => {
  let directory: TemporaryDirectory
  let storage: FileStorage
  let server: TestServer

  beforeEach(async () => {
    directory = new TemporaryDirectory()
    storage = await FileStorage.open(directory.join('served.perdure'))
    server = await TestServer.start({ storage, authenticator: anonymous('admin') })
  })

  afterEach(async () => {
    await server.stop()
    await storage.close()
    directory.remove()
  })

  /** A tree with two children a node, of texts of very different lengths. */
  async function fill(client: ProtocolClient): Promise<void> {
    const children = (oid: Oid) => [oid * 2 + 1, oid * 2 + 2].filter((child) => child < OBJECTS)
    const writes = Array.from({ length: OBJECTS }, (_, oid) => write(oid, text(oid), children(oid)))
    await client.ask('committed', {
      type: 'commit',
      base: 0,
      token: randomBytes(16),
      note: 'all',
      user: 'ada',
      reads: [],
      writes,
    })
  }

  it('gives each object its own bytes, however it is asked for', async () => {
    const client = await server.client()
    await fill(client)
    const { snapshot } = await client.ask('snapshot', { type: 'snapshot' })
    const loads = Array.from({ length: 300 }, (_, i) => client.load(snapshot, i * 10, i % 50))
    const ahead = (await Promise.all(loads)).flat()
    expect(ahead.length).to.be.above(1000)
    const many = await client.request({ type: 'loadMany', snapshot, oids: ahead.map(({ oid }) => oid) })
    const all = await client.request({ type: 'records', snapshot })
    expect(recordsOf(many.parts)).to.have.length(ahead.length)
    expect(recordsOf(all.parts)).to.have.length(OBJECTS)
    for (const record of [...ahead, ...recordsOf(many.parts), ...recordsOf(all.parts)]) {
      expect(textOf(record)).to.equal(text(record?.oid ?? -1))
    }
    const scan = await client.request({ type: 'scan', snapshot })
    const oids = scan.parts.flatMap((part) => (part.type === 'batchPart' ? [...part.batch.oids] : []))
    expect(oids).to.have.length(OBJECTS)
    const { report } = await client.ask('verified', { type: 'verify' })
    expect(report.objects).to.equal(OBJECTS)
    expect([...report.classes]).to.deep.equal([['suite.Thing', OBJECTS]])
  })

  it('is written by many clients at once, in few batches', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => server.client()))
    const commits = clients.flatMap((client, n) =>
      Array.from({ length: 50 }, (_, i) =>
        client.ask('committed', {
          type: 'commit',
          base: 0,
          token: randomBytes(16),
          note: '',
          user: '',
          reads: [],
          writes: [write(n * 50 + i, 'x')],
        }),
      ),
    )
    const tids = (await Promise.all(commits)).map(({ tid }) => tid).sort((a, b) => a - b)
    expect(tids).to.deep.equal(Array.from({ length: 400 }, (_, i) => i + 1))
    expect(storage.statistics()['syncs']).to.be.below(200)
    expect(server.server.figures).to.include({ commits: 400, clients: 8 })
    expect(server.server.figures.commitP99Ms).to.be.above(0)
  })

  it('keeps commits that had arrived when the server was stopped', async () => {
    const client = await server.client()
    const token = randomBytes(16)
    const answer = client.ask('committed', {
      type: 'commit',
      base: 0,
      token,
      note: '',
      user: '',
      reads: [],
      writes: [write(0, 'last')],
    })
    await client.ask('done', { type: 'ping' })
    await server.server.stop()
    expect(await answer).to.include({ tid: 1 })
    await storage.close()
    storage = await FileStorage.open(directory.join('served.perdure'))
    expect(textOf(storage.snapshot().load(0))).to.equal('last')
  })

  it('knows after a restart, and after a pack, what became of commits', async () => {
    const tokens = Array.from({ length: 7 }, () => randomBytes(16))
    const first = await server.client()
    for (const [base, token] of tokens.slice(0, 6).entries()) {
      const writes = [write(0, `${base}`)]
      await first.ask('committed', { type: 'commit', base, token, note: '', user: '', reads: [], writes })
    }
    const [, second, , , , , never] = tokens as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]
    await restart()
    let client = await server.client()
    expect(await outcomeOf(client, second, 1)).to.deep.equal({ type: 'outcome', outcome: 'committed', tid: 2 })
    expect(await outcomeOf(client, never, 0)).to.include({ outcome: 'refused' })

    await client.request({ type: 'pack', retain: { transactions: 3 }, keepOld: false })
    await restart()
    client = await server.client()
    const fifth = tokens[4] as Buffer
    expect(await outcomeOf(client, fifth, 4)).to.deep.equal({ type: 'outcome', outcome: 'committed', tid: 5 })
    expect(await outcomeOf(client, second, 1)).to.include({ outcome: 'unknown' })
    expect(await outcomeOf(client, never, 4)).to.include({ outcome: 'refused' })
  })

  async function restart(): Promise<void> {
    await server.stop()
    await storage.close()
    storage = await FileStorage.open(directory.join('served.perdure'))
    server = await TestServer.start({ storage, authenticator: anonymous('admin') })
  }

  function outcomeOf(client: ProtocolClient, token: Uint8Array, base: number) {
    return client.ask('outcome', { type: 'outcome', token, base })
  }
})

function text(oid: Oid): string {
  return `${oid} `.repeat(1 + (oid % 97) * 3)
}
