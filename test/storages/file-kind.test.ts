import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { ROOT_OID } from '../../src/core/oid.js'
import { FileStorage } from '../../src/storages/file.js'
import { fileKind } from '../../src/storages/file-kind.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('the kind of storage "file"', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => {
    directory.remove()
  })

  const suffixes = () =>
    readdirSync(directory.path)
      .map((name) => name.slice('a.perdure'.length))
      .filter((suffix) => suffix !== '')

  it('names every file that stands beside a database, open or closed', async () => {
    const storage = await FileStorage.open(directory.join('a.perdure'))
    storage.allocateOids(1)
    await storage.commit({ base: 0, reads: [], writes: [{ oid: ROOT_OID, data: new Uint8Array(8) }] })
    const open = suffixes()
    await storage.close()
    const closed = suffixes()
    expect(open).to.include('.lock').and.to.include('.live')
    expect(closed).to.include('.index')
    expect(fileKind.sidecars).to.include.members([...open, ...closed])
  })
})
