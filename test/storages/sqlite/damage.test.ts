import { execFile } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { encodeRecord } from '../../../src/core/record.js'
import { Reference } from '../../../src/core/reference.js'
import { SqliteStorage } from '../../../src/storages/sqlite.js'
import { runSeed } from '../../../src/testing/random.js'
import { failure } from '../../support/errors.js'
import { sqliteEngines } from '../../support/sqlite-engines.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

const PROGRAM = fileURLToPath(new URL('../../support/damaged-sqlite-process.js', import.meta.url))

const seed = runSeed()

/** What a damaged database may be refused with. One of its first bytes says that it is only to be read. */
const CODES = [
  'fine',
  'PERDURE_CORRUPTION',
  'PERDURE_NOT_A_DATABASE',
  'PERDURE_FORMAT_VERSION',
  'PERDURE_READONLY',
  'PERDURE_IO',
]

function record(text: string, references: readonly number[] = []): Uint8Array {
  const targets = references.map((oid) => new Reference(oid, 'Thing'))
  return encodeRecord('Thing', targets, Buffer.from(text))
}

describe(`A damaged SQLite database (PERDURE_SEED=${seed})`, () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('sound.sqlite')
  })

  afterEach(() => directory.remove())

  async function make(): Promise<void> {
    await using storage = await SqliteStorage.open(path)
    for (let round = 0; round < 5; round++) {
      const writes = Array.from({ length: 60 }, (_, oid) => {
        return { oid, data: record('text'.repeat(5 + 3 * oid), [(oid + 1) % 60]) }
      })
      await storage.commit({ base: round, reads: [], writes, note: 'note' })
    }
  }

  /** By another connection, as somebody would with a tool of his own. */
  function change(sql: string): void {
    const connection = sqliteEngines[0]?.open(path)
    connection?.exec(sql)
    connection?.close()
  }

  it('gives what is right or an error with a name, and never ends the process', async () => {
    await make()
    const rounds = 40
    const { stdout } = await promisify(execFile)(process.execPath, [
      PROGRAM,
      path,
      directory.join('copy.sqlite'),
      `${seed}`,
      `${rounds}`,
    ])
    const lines = stdout.trim().split('\n')
    expect(lines).to.have.lengthOf(rounds)
    for (const line of lines) {
      for (const code of line.split(': ')[1]?.split(' ') ?? ['nothing']) expect(CODES, line).to.include(code)
    }
  }).timeout(120_000)

  it('does not give a record whose bytes have changed, and verify names the object', async () => {
    await make()
    change("update records set data = cast(replace(data, 'text', 'tixt') as blob) where oid = 7 and tid = 5")
    await using storage = await SqliteStorage.open(path)
    const snapshot = storage.snapshot()
    expect((await failure('PERDURE_CORRUPTION', () => snapshot.load(7))).details).to.include({ oid: 7, path })
    expect(snapshot.load(8)?.tid).to.equal(5)
    snapshot.release()
    const { problems, objects } = await storage.verify()
    expect(problems.filter(({ oid }) => oid === 7).map(({ kind }) => kind)).to.include('damaged')
    expect(objects).to.equal(59)
    expect((await failure('PERDURE_CORRUPTION', () => storage.pack())).details).to.include({ oid: 7 })
    const before = await storage.snapshotAt(4)
    expect(before.load(7)?.tid).to.equal(4)
    before.release()
  })

  it('may have text that is not UTF-8 anywhere', async () => {
    await make()
    const bad = "cast(x'ff41' as text)"
    change(`update transactions set note = ${bad}, user = ${bad}, token = ${bad}, bytes = ${bad}`)
    change(`update records set class = ${bad}, checksum = ${bad} where oid < 3`)
    await using storage = await SqliteStorage.open(path)
    const notes: string[] = []
    for await (const { note } of storage.transactions()) notes.push(note)
    expect(notes[0]).to.equal('\ufffdA')
    const snapshot = storage.snapshot()
    await failure('PERDURE_CORRUPTION', () => snapshot.load(1))
    snapshot.release()
    const { conflicts } = await storage.commit({ base: 1, reads: [1], writes: [] })
    expect(conflicts?.[0]?.className).to.equal('\ufffdA')
  })

  it('tells of references that lead nowhere', async () => {
    await make()
    change('delete from records where oid = 9')
    await using storage = await SqliteStorage.open(path)
    const { problems } = await storage.verify()
    expect(problems.filter(({ kind }) => kind === 'dangling-reference').map(({ oid }) => oid)).to.deep.equal([8])
  })

  it('is refused if its tables are others than ours, or something else works on them', async () => {
    const forgeries = [
      `drop table meta; create view meta as
       with recursive c (x) as (select 1 union all select x + 1 from c) select x as key, x as value from c`,
      'create trigger forger after insert on transactions begin delete from records; end',
      'alter table doomed add column computed as (zeroblob(oid))',
      'create index forged on records (zeroblob(oid))',
      'drop table doomed',
      'drop index records_by_object',
    ]
    for (const [i, sql] of forgeries.entries()) {
      path = directory.join(`${i}.sqlite`)
      await (await SqliteStorage.open(path)).close()
      change(sql)
      for (const readonly of [false, true]) {
        const error = await failure('PERDURE_CORRUPTION', () => SqliteStorage.open(path, { readonly }))
        expect(error.message).to.match(/meta|forger|doomed|forged|records_by_object/)
      }
    }
  })

  it('may have tables, views and statistics that somebody has added', async () => {
    await make()
    change('create table mine (x); create view big as select oid from objects where bytes > 100; analyze')
    await using storage = await SqliteStorage.open(path)
    await storage.backup(directory.join('copy.sqlite'))
    await using copy = await SqliteStorage.open(directory.join('copy.sqlite'))
    await copy.commit({ base: 5, reads: [], writes: [{ oid: 0, data: record('new', [1]) }] })
    const problems = (await copy.verify()).problems.filter(({ kind }) => kind !== 'undecodable')
    expect(problems).to.deep.equal([])
  })

  it('is refused if it tells of transactions that cannot be', async () => {
    const forgeries = [
      'update transactions set tid = 9223372036854775807 where tid = 5',
      'update transactions set tid = tid - 10',
      ...['history_from', 'swept_at', 'removals_from', 'removing'].map(
        (key) => `update meta set value = '99' where key = '${key}'`,
      ),
    ]
    await make()
    const sound = path
    for (const [i, sql] of forgeries.entries()) {
      path = directory.join(`${i}.sqlite`)
      copyFileSync(sound, path)
      change(sql)
      await failure('PERDURE_CORRUPTION', () => SqliteStorage.open(path))
    }
  })

  it('says which setting is missing', async () => {
    await make()
    change("delete from meta where key = 'serializer'")
    const error = await failure('PERDURE_CORRUPTION', () => SqliteStorage.open(path))
    expect(error.message).to.include('serializer')
  })
})
