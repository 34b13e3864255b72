import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { bytes, integer, type SqliteConnection } from '../../../src/storages/sqlite/engine.js'
import { loadSqlite } from '../../../src/storages/sqlite/load-engine.js'
import { thrownBy } from '../../support/errors.js'
import { sqliteEngines } from '../../support/sqlite-engines.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

const READ_ALL = `select ${integer('a')}, ${bytes('b')} from t where a >= ? order by a`

for (const engine of sqliteEngines) {
  describe(`The SQLite engine ${engine.name}`, () => {
    let directory: TemporaryDirectory
    let path: string
    let connection: SqliteConnection

    beforeEach(() => {
      directory = new TemporaryDirectory()
      path = directory.join('a?b%20c#.sqlite')
      connection = engine.open(path)
      connection.exec('pragma journal_mode = wal; create table t(a integer primary key, b)')
    })

    afterEach(() => {
      connection.close()
      directory.remove()
    })

    function insert(rows: number, data: Uint8Array | null = null): void {
      const statement = connection.prepare('insert into t values (?, ?)')
      connection.exec('begin')
      for (let i = 0; i < rows; i++) expect(statement.run(i, data)).to.equal(1)
      connection.exec('commit')
    }

    it('writes to the very file that was named', () => {
      expect(existsSync(path)).to.equal(true)
    })

    it('gives rows as arrays', () => {
      const largest = Number.MAX_SAFE_INTEGER
      const insertion = connection.prepare('insert into t values (?, ?)')
      insertion.run(largest, new Uint8Array([1, 2, 3, 4]).subarray(1, 3))
      insertion.run(2, null)
      insertion.run(3, 'é')
      insertion.run(4, new Uint8Array())
      const all = connection.prepare(READ_ALL)
      const plain = (row: unknown) => (row as unknown[]).map((v) => (v instanceof Uint8Array ? [...v] : v))
      const rows = [
        [2, null],
        [3, [0xc3, 0xa9]],
        [4, []],
        [largest, [2, 3]],
      ]
      expect(all.all(0).map(plain)).to.deep.equal(rows)
      expect([...all.iterate(0)].map(plain)).to.deep.equal(rows)
      expect(plain(all.get(3))).to.deep.equal(rows[1])
      expect(all.get(largest)).to.have.lengthOf(2)
      expect(connection.prepare(`select ${integer('a')} from t where a < ?`).get(0)).to.equal(undefined)
    })

    it('reads text that is not UTF-8, and numbers that are text, as what was asked for', () => {
      connection.exec("insert into t values (1, cast(x'ff41' as text))")
      const [row = []] = connection.prepare(`select ${bytes('b')}, ${integer('b')} from t`).all()
      expect([...(row[0] as Uint8Array), row[1]]).to.deep.equal([0xff, 0x41, 0])
    })

    it('sees what is committed after a row was taken, and after a loop was left', () => {
      insert(300)
      const reader = engine.open(path, { readonly: true })
      const all = reader.prepare(READ_ALL)
      const count = reader.prepare('select count(*) from t')
      const newest = connection.prepare('insert into t values (?, null)')
      all.get(0)
      newest.run(1000)
      expect(count.get()).to.deep.equal([301])
      for (const [a] of all.iterate(0)) if (a === 3) break
      newest.run(1001)
      expect(count.get()).to.deep.equal([302])
      reader.close()
    })

    it('takes the values it is given, whatever the statement was used for before', () => {
      insert(300)
      const statement = connection.prepare(`select ${integer('a')} from t where a >= ? order by a`)
      const uses: Record<string, (from: number) => unknown> = {
        get: (from) => statement.get(from)?.[0],
        all: (from) => statement.all(from)[0]?.[0],
        iterate: (from) => [...statement.iterate(from)][0]?.[0],
        leave: (from) => {
          for (const [a] of statement.iterate(from)) return a
          return undefined
        },
        none: (from) => statement.get(1000) ?? from,
      }
      const names = Object.keys(uses)
      for (const first of names) {
        for (const second of names) {
          for (const third of names) {
            const found = [first, second, third].map((name, i) => uses[name]?.(10 * i))
            expect(found, `${first}, ${second}, ${third}`).to.deep.equal([0, 10, 20])
          }
        }
      }
    })

    it('does not write, and does not create, where it is to read only', () => {
      const reader = engine.open(path, { readonly: true })
      const error = thrownBy(() => reader.exec('insert into t values (1, null)'))
      expect(error.code).to.equal('PERDURE_READONLY')
      expect(error.details).to.include({ path, sqlite: 8 })
      reader.close()
      const missing = directory.join('missing')
      expect(thrownBy(() => engine.open(missing, { readonly: true })).code).to.equal('PERDURE_PERMISSION')
      expect(existsSync(missing)).to.equal(false)
    })

    it('reads a file that nobody writes without a file beside it', () => {
      insert(3)
      connection.exec('pragma wal_checkpoint(truncate)')
      const reader = engine.open(path, { readonly: true, immutable: true })
      expect(reader.prepare(READ_ALL).all(0)).to.have.lengthOf(3)
      reader.close()
    })

    it('says who is in the way', () => {
      const other = engine.open(path)
      connection.exec('begin immediate')
      expect(thrownBy(() => other.exec('begin immediate')).code).to.equal('PERDURE_LOCKED')
      connection.exec('rollback')
      other.close()
    })

    it('says that there is no space', () => {
      connection.exec('pragma max_page_count = 10')
      expect(thrownBy(() => insert(100, new Uint8Array(1000))).code).to.equal('PERDURE_NO_SPACE')
    })

    it('says what is damaged', () => {
      const junk = directory.join('junk')
      writeFileSync(junk, Buffer.alloc(5000, 'A'))
      expect(thrownBy(() => engine.open(junk).exec('pragma user_version; begin immediate')).code).to.equal(
        'PERDURE_NOT_A_DATABASE',
      )
      insert(1000, new Uint8Array(100))
      connection.exec('pragma wal_checkpoint(truncate)')
      truncateSync(path, 50_000)
      const reader = engine.open(path, { readonly: true, immutable: true })
      expect(thrownBy(() => reader.prepare(READ_ALL).all(0)).code).to.equal('PERDURE_CORRUPTION')
      reader.close()
    })

    it('refuses what it cannot open', () => {
      mkdirSync(directory.join('folder'))
      for (const name of ['folder', 'no/where']) {
        expect(thrownBy(() => engine.open(directory.join(name))).code).to.equal('PERDURE_PERMISSION')
      }
    })

    it('is of no use after it was closed', () => {
      const statement = connection.prepare(READ_ALL)
      connection.close()
      connection.close()
      for (const use of [
        () => statement.get(0),
        () => statement.all(0),
        () => [...statement.iterate(0)],
        () => connection.exec('begin'),
        () => connection.prepare(READ_ALL),
      ]) {
        expect(thrownBy(use).code).to.equal('PERDURE_CLOSED')
      }
    })
  })
}

describe('loadSqlite', () => {
  it('takes what Node has, where it has it', async () => {
    expect(await loadSqlite()).to.have.property('name', sqliteEngines[0]?.name)
  })
})
