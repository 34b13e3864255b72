import { expect } from 'chai'
import { open } from '../../../src/index.js'
import { serve } from '../../../src/server.js'
import { FileStorage } from '../../../src/storages/index.js'
import { DurusClient, durusRecord } from '../../support/durus-client.js'
import { DURUS_ROOT } from '../../support/durus-stage.js'
import { failure } from '../../support/errors.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

describe('A database served to Durus clients', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  it('is made by serve(), used, stopped by a client, and there when it is opened again', async () => {
    const path = directory.join('durus.perdure')
    const server = await serve(path, {
      serializer: 'pickle',
      listen: 'perdure://127.0.0.1:0',
      allowRemoteStop: true,
    })
    const client = await DurusClient.connect(Number(new URL(server.addresses[0]?.url as string).port))
    expect(await client.load(0)).to.equal('K')
    expect(await client.newOid()).to.equal(0)
    expect(await client.commit(DURUS_ROOT)).to.equal('O')
    expect(server.statistics().commits).to.equal(1)
    client.send('Q')
    await client.rest()
    await server.closed

    await using storage = await FileStorage.open(path)
    const again = await serve(storage, { listen: 'perdure://127.0.0.1:0' })
    const reader = await DurusClient.connect(Number(new URL(again.addresses[0]?.url as string).port))
    expect(await reader.load(0)).to.deep.equal(durusRecord(DURUS_ROOT))
    const url = again.addresses[0]?.url as string
    expect((await failure('PERDURE_SERIALIZER', () => open(url))).message).to.match(/pickles/)
    reader.send('Q')
    await reader.rest()
    expect((await storage.verify()).problems).to.deep.equal([])
    await again.stop()
  })
})
