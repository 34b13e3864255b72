import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Storage } from '../../../src/core/storage.js'
import { FileStorage, MemoryStorage } from '../../../src/storages/index.js'
import { PACKAGE } from '../../support/documented-programs.js'
import { DurusClient } from '../../support/durus-client.js'
import { DurusServer } from '../../support/durus-server.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

interface Line {
  readonly client: number
  readonly from: 'client' | 'server' | 'note'
  readonly hex: string
  readonly note?: string
}

/** A conversation of two clients with a server of Durus 4, byte for byte. */
const RECORDED = join(PACKAGE, 'test', 'fixtures', 'durus', 'wire-protocol-1.jsonl')

function recorded(): Line[] {
  const lines = readFileSync(RECORDED, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as Line)
}

describe('A recorded conversation of Durus', () => {
  let directory: TemporaryDirectory
  const servers: DurusServer[] = []

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close()
    directory.remove()
  })

  async function serve(storage: Storage): Promise<DurusServer> {
    const server = new DurusServer(storage)
    servers.push(server)
    await server.listen()
    return server
  }

  /** Sends what the clients sent, and compares what the server answers. Returns how many bytes were compared. */
  async function replay(storage: Storage): Promise<number> {
    const server = await serve(storage)
    const clients = new Map<number, DurusClient>()
    let step = ''
    let compared = 0
    for (const { client: number, from, hex, note } of recorded()) {
      step = note ?? step
      if (from === 'note') continue
      const client = clients.get(number) ?? (await DurusClient.raw(server.port))
      clients.set(number, client)
      const bytes = Buffer.from(hex, 'hex')
      if (from === 'client') client.send(bytes)
      else expect((await client.read(bytes.length)).toString('hex'), step).to.equal(hex)
      if (from === 'server') compared += bytes.length
    }
    for (const client of clients.values()) expect(await client.rest()).to.have.lengthOf(0)
    expect(server.blames).to.deep.equal([])
    await server.close()
    return compared
  }

  it('goes the same way with a MemoryStorage', async () => {
    const storage = new MemoryStorage({ serializer: 'pickle' })
    expect(await replay(storage)).to.be.greaterThan(1_500)
    await storage.close()
  })

  it('goes the same way with a FileStorage, which has it all when it is opened again', async () => {
    const path = directory.join('a.perdure')
    const storage = await FileStorage.open(path, { serializer: 'pickle' })
    await replay(storage)
    await storage.close()

    await using again = await FileStorage.open(path)
    const report = await again.verify()
    expect(report.problems).to.deep.equal([])
    expect(report.classes.get('durus.persistent_dict.PersistentDict')).to.equal(1)
    expect(report.classes.get('fixture_model.Account')).to.equal(2)
    const server = await serve(again)
    const client = await DurusClient.connect(server.port)
    const lastRoot = recorded().findLast(({ from, hex }) => from === 'client' && hex.includes('50657273697374656e7444'))
    const record = (lastRoot as Line).hex.slice(2 * (4 + 4 + 8))
    expect(await client.load(0)).to.deep.equal(Buffer.from(record, 'hex'))
    await client.close()
    await server.close()
  })
})
