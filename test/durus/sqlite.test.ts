import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { openDurusFile } from '../../src/durus/open.js'
import type { SqliteConnection } from '../../src/storages/sqlite/engine.js'
import { loadSqlite } from '../../src/storages/sqlite/load-engine.js'
import { int8 } from '../support/durus-client.js'
import { durusFixture, expectUntouched } from '../support/durus-fixtures.js'
import { failure, thrownBy } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const TABLE = 'create table objects (id integer primary key, data blob, refs blob)'

describe("A file of Durus's SqliteStorage", () => {
  let directory: TemporaryDirectory
  const open: SqliteConnection[] = []
  const path = () => directory.join('a.durus')

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => {
    for (const connection of open.splice(0)) connection.close()
    directory.remove()
  })

  async function connect(name = path()): Promise<SqliteConnection> {
    const connection = (await loadSqlite()).open(name)
    open.push(connection)
    return connection
  }

  /** Makes a file with statements of one's own, and closes it. */
  async function make(...statements: string[]): Promise<void> {
    const connection = await connect()
    for (const statement of statements) connection.exec(statement)
    open.pop()?.close()
  }

  it('has one object for each row', async () => {
    const connection = await connect()
    connection.exec(TABLE)
    const insert = connection.prepare('insert into objects values (?, ?, ?)')
    const oids = [0, 5, 1000, 2 ** 53 - 1]
    for (const oid of oids) insert.run(oid, Buffer.from(`${oid}`), Buffer.concat([int8(oid), int8(7)]))
    open.pop()?.close()
    const source = await openDurusFile(path())
    expect([source.objects, source.tornBytes, [...source.oids()]]).to.deep.equal([4, 0, oids])
    expect(source.highestOid).to.equal(2 ** 53 - 1)
    for (const oid of oids) {
      const data = Uint8Array.from(Buffer.from(`${oid}`))
      expect(source.load(oid)).to.deep.equal({ oid, data, references: [oid, 7], offset: oid })
    }
    source.close()
    source.close()
    expect(thrownBy(() => source.load(0)).code).to.equal('PERDURE_CLOSED')
    expect(thrownBy(() => [...source.oids()]).code).to.equal('PERDURE_CLOSED')
  })

  it('is read in parts', async () => {
    const rows = 'with recursive n(i) as (select 0 union all select i + 1 from n where i < 2999)'
    await make(TABLE, `insert into objects ${rows} select i, x'00', x'' from n`)
    const source = await openDurusFile(path())
    expect([...source.oids()]).to.deep.equal(Array.from({ length: 3000 }, (_, oid) => oid))
    source.close()
  })

  it('is read in WAL mode without a file of SQLite beside it', async () => {
    await make('pragma journal_mode = wal', TABLE, "insert into objects values (0, x'00', x'')")
    expect(readFileSync(path())[18]).to.equal(2)
    const check = expectUntouched(path())
    const source = await openDurusFile(path())
    expect([...source.oids()]).to.deep.equal([0])
    check()
    source.close()
    check()
  })

  it('is refused while changes stand beside it, or somebody writes it', async () => {
    await make(TABLE)
    const writer = await connect()
    writer.exec('pragma journal_mode = wal')
    writer.exec("insert into objects values (0, x'00', x'')")
    expect(existsSync(`${path()}-wal`)).to.equal(true)
    expect((await failure('PERDURE_LOCKED', () => openDurusFile(path()))).message).to.match(/a\.durus-wal.*Stop the/)
    writer.close()

    copyFileSync(durusFixture('sqlite'), path())
    writeFileSync(`${path()}-journal`, 'a journal')
    expect((await failure('PERDURE_LOCKED', () => openDurusFile(path()))).message).to.match(/a\.durus-journal/)
    writeFileSync(`${path()}-journal`, '')
    const locker = await connect()
    locker.exec('begin exclusive')
    await failure('PERDURE_LOCKED', () => openDurusFile(path()))
    locker.exec('rollback')
    locker.close()
    ;(await openDurusFile(path())).close()
  })

  it('stays at one moment while it is open, and can be written again afterwards', async () => {
    copyFileSync(durusFixture('sqlite'), path())
    const source = await openDurusFile(path())
    const writer = await connect()
    expect(thrownBy(() => writer.exec("insert into objects values (9999, x'00', x'')")).code).to.equal('PERDURE_LOCKED')
    expect(source.load(9999)).to.equal(undefined)
    source.close()
    writer.exec("insert into objects values (9999, x'00', x'')")
  })

  it('is damaged if a row cannot be an object', async () => {
    for (const [values, message] of [
      ["1, 'text', x''", /of object 1, it is not made of two blobs/],
      ["1, x'00', null", /of object 1, it is not made of two blobs/],
      ["1, x'', x''", /of object 1, it has no data/],
      ["1, x'00', x'00'", /of object 1, its references are cut off/],
      ["1, x'00', x'0020000000000000'", /of object 1, it refers to 9007199254740992/],
    ] as const) {
      await make('drop table if exists objects', TABLE, `insert into objects values (${values})`)
      const source = await openDurusFile(path())
      const error = thrownBy(() => source.load(1))
      expect([error.code, error.details.oid]).to.deep.equal(['PERDURE_CORRUPTION', 1])
      expect(error.message).to.match(message)
      source.close()
    }
    for (const id of ['-1', '9007199254740992', '9223372036854775807']) {
      await make('drop table objects', TABLE, `insert into objects values (${id}, x'00', x'')`)
      const error = await failure('PERDURE_CORRUPTION', () => openDurusFile(path()))
      expect(error.message).to.contain(`a row has ${id} as its id`)
    }
  })

  it('has an object that is too large for a database', async () => {
    await make(TABLE, `insert into objects values (3, zeroblob(${64 * 1024 * 1024 + 1}), x'')`)
    const source = await openDurusFile(path())
    const error = thrownBy(() => source.load(3))
    expect([error.code, error.details.oid]).to.deep.equal(['PERDURE_RECORD_TOO_LARGE', 3])
    source.close()
  })

  it('is damaged if its table is another one: a view might never end', async () => {
    const like = '/* create table objects (id, data, refs) */'
    for (const schema of [
      `create view objects ${like} as with recursive n(i) as (select 0 union all select i from n) select i id, 1 data, 1 refs from n`,
      `create table objects (id integer primary key, data blob, refs blob as (zeroblob(1000000000)))`,
      `create table objects (id text, data blob, refs blob)`,
    ]) {
      rmSync(path(), { force: true })
      await make(schema)
      const error = await failure('PERDURE_CORRUPTION', () => openDurusFile(path()))
      expect(error.message).to.match(/its table is not the one that Durus makes/)
    }
  })

  it('is damaged if its pages are, and the message says where', async () => {
    const bytes = readFileSync(durusFixture('sqlite'))
    bytes.fill(0xff, 3 * 4096, 3 * 4096 + 100)
    writeFileSync(path(), bytes)
    const error = await failure('PERDURE_CORRUPTION', () => openDurusFile(path()))
    expect(error.details.offset).to.equal(3 * 4096)
    writeFileSync(path(), bytes.subarray(0, 5000))
    await failure('PERDURE_CORRUPTION', () => openDurusFile(path()))
  })
})
