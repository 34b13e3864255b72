import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { classNameOf } from '../../src/core/pickle-record.js'
import { openDurusFile } from '../../src/durus/open.js'
import type { DurusSource } from '../../src/durus/source.js'
import { FILE_MAGIC } from '../../src/journal/format.js'
// Knows the kinds of storage.
import '../../src/open-path.js'
import { fileRecord } from '../support/durus-files.js'
import { DURUS_FIXTURES, type DurusFixture, durusFixture, expectUntouched } from '../support/durus-fixtures.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

/** All records, by oid. */
function recordsOf(source: DurusSource): Map<number, string> {
  const records = new Map<number, string>()
  for (const oid of source.oids()) {
    const object = source.load(oid)
    if (object !== undefined) records.set(oid, fileRecord(object).toString('latin1'))
  }
  return records
}

async function readFixture(name: DurusFixture): Promise<Map<number, string>> {
  const source = await openDurusFile(durusFixture(name))
  const records = recordsOf(source)
  expect(records.size).to.equal(source.objects)
  source.close()
  return records
}

describe('openDurusFile', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  it('reads what Durus wrote, which refers to nothing that is not there', async () => {
    for (const name of DURUS_FIXTURES) {
      const source = await openDurusFile(durusFixture(name))
      const classes = new Map<string, number>()
      for (const oid of source.oids()) {
        const { data, references } = source.load(oid) ?? expect.fail(`object ${oid} is missing`)
        classes.set(classNameOf(data), (classes.get(classNameOf(data)) ?? 0) + 1)
        for (const reference of references) expect(source.load(reference)?.oid).to.equal(reference)
      }
      expect(source.path).to.equal(durusFixture(name))
      expect(source.tornBytes > 0).to.equal(name === 'shelf-torn-tail')
      expect(classNameOf(source.load(0)?.data as Uint8Array)).to.equal('durus.persistent_dict.PersistentDict')
      // 300 in a BTree of 19 nodes, and 20 that are garbage as long as there was no pack.
      expect(classes.get('fixture_model.Account')).to.equal(name === 'shelf-packed' ? 300 : 320)
      expect(classes.get('durus.btree.BNode16')).to.equal(19)
      source.close()
    }
  })

  it('reads the same of the three formats that have the same in them', async () => {
    const shelf = await readFixture('shelf')
    expect(shelf.size).to.equal(346)
    for (const name of ['dfs20', 'sqlite'] as const) expect(await readFixture(name)).to.deep.equal(shelf)
  })

  it('reads a torn file as it was before its last transaction, which changed the root', async () => {
    const [whole, torn] = [await readFixture('shelf'), await readFixture('shelf-torn-tail')]
    const changed = [...whole.keys()].filter((oid) => whole.get(oid) !== torn.get(oid))
    expect([changed, torn.size]).to.deep.equal([[0], whole.size])
  })

  it('gives the same as often as it is read, in any order, several times at once', async () => {
    for (const name of ['shelf', 'shelf-packed', 'dfs20', 'sqlite'] as const) {
      const source = await openDurusFile(durusFixture(name))
      const records = recordsOf(source)
      expect(recordsOf(source)).to.deep.equal(records)
      const [one, two] = [source.oids()[Symbol.iterator](), source.oids()[Symbol.iterator]()]
      for (const oid of [...records.keys()].reverse()) {
        expect(one.next().value).to.equal(two.next().value)
        const { data, references } = source.load(oid) ?? expect.fail(`object ${oid} is missing`)
        expect(fileRecord({ oid, data, references }).toString('latin1')).to.equal(records.get(oid))
      }
      for (const oid of [100_000, -1, 0.5, Number.NaN]) expect(source.load(oid)).to.equal(undefined)
      source.close()
    }
  })

  it('gives bytes that stay what they are, whatever is read later, and may be changed', async () => {
    for (const name of ['shelf', 'sqlite'] as const) {
      const source = await openDurusFile(durusFixture(name))
      const objects = [...source.oids()].map((oid) => source.load(oid) ?? expect.fail(`object ${oid} is missing`))
      const kept = new Map(objects.map((object) => [object.oid, fileRecord(object).toString('latin1')]))
      expect(kept).to.deep.equal(recordsOf(source))
      for (const { data } of objects) data.fill(0)
      expect(kept).to.deep.equal(recordsOf(source))
      source.close()
    }
  })

  it('leaves the file as it is, with nothing beside it', async () => {
    for (const name of DURUS_FIXTURES) {
      const path = directory.join(name)
      copyFileSync(durusFixture(name), path)
      const check = expectUntouched(path)
      const source = await openDurusFile(path)
      recordsOf(source)
      check()
      source.close()
      check()
    }
  })

  it('refuses other files, and says what it has found', async () => {
    const path = directory.join('a')
    for (const [bytes, message] of [
      ['', /no Durus file: it is an empty file/],
      ['SHELF-2\n', /no Durus file: it is text beginning with "SHELF-2"/],
      [readFileSync(durusFixture('dfs20')).subarray(0, 5), /no Durus file: it is text beginning with "DFS20"/],
      [FILE_MAGIC, /no Durus file: it is a Perdure database of the kind file already/],
    ] as const) {
      writeFileSync(path, bytes)
      const error = await failure('PERDURE_NOT_A_DATABASE', () => openDurusFile(path))
      expect(error.message).to.match(message)
      expect(error.details.path).to.equal(path)
    }
    await failure('PERDURE_NOT_FOUND', () => openDurusFile(directory.join('b')))
    const folder = await failure('PERDURE_NOT_A_DATABASE', () => openDurusFile(directory.path))
    expect(folder.message).to.match(/no Durus file: it is a directory/)
  })
})
