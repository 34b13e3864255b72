import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { open, packFile, repairFile, truncateAfter } from '../src/index.js'
import { FILE_HEADER_BYTES, TRANSACTION_HEADER_BYTES } from '../src/journal/format.js'
import { exportLines } from '../src/json-lines.js'
import { serve } from '../src/server.js'
import { FileStorage, registerStorage, type StorageKind } from '../src/storages/index.js'
import { loadSqlite } from '../src/storages/sqlite/load-engine.js'
import { PACKAGE } from './support/documented-programs.js'
import { failure } from './support/errors.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const DURUS = join(PACKAGE, 'test', 'fixtures', 'durus')

/** Says to which path it was asked to open, and opens nothing. */
const stamped: StorageKind = {
  name: 'stamped',
  summary: 'For this test.',
  options: [],
  recognizes: (head) => Buffer.from(head).toString('latin1').startsWith('STAMPED'),
  open: async (path) => {
    throw new Error(`opened ${path}`)
  },
}
registerStorage(stamped)

/** All ways to have a file opened. What names it is the one parameter. */
const OPENERS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  open: (path) => open(path),
  'open, readonly': (path) => open(path, { readonly: true }),
  'open, as a file': (path) => open(path, { storage: 'file' }),
  serve: (path) => serve(path, { listen: { port: 0 } }),
  'FileStorage.open': (path) => FileStorage.open(path),
  packFile,
  repairFile,
  truncateAfter: (path) => truncateAfter(path, 1),
}

describe('What a path leads to', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => {
    directory.remove()
  })

  function fixture(name: string): string {
    copyFileSync(join(DURUS, name), directory.join(name))
    return directory.join(name)
  }

  function written(name: string, content: string | Buffer): string {
    writeFileSync(directory.join(name), content)
    return directory.join(name)
  }

  /** A small database, closed. */
  async function database(path = directory.join('bank.perdure')): Promise<string> {
    await using db = await open(path)
    await db.transact((root) => root.set('ada', 1))
    return path
  }

  for (const [opener, run] of Object.entries(OPENERS)) {
    describe(`is found out by ${opener}`, () => {
      /** Nothing may be made beside it, nor anything be changed. */
      async function expectRefused(path: string, found: string): Promise<string> {
        const before = readdirSync(directory.path)
        const error = await failure('PERDURE_NOT_A_DATABASE', () => run(path))
        expect(error.details).to.deep.equal({ path, found })
        expect(error.message).to.include(path).and.to.include(found)
        expect(readdirSync(directory.path)).to.deep.equal(before)
        return error.message
      }

      for (const [name, found] of [
        ['shelf.durus', 'a Durus file (SHELF-1)'],
        ['shelf-packed.durus', 'a Durus file (SHELF-1)'],
        ['shelf-torn-tail.durus', 'a Durus file (SHELF-1)'],
        ['dfs20.durus', 'a Durus file (DFS20)'],
        ['sqlite.durus', 'an SQLite database of Durus'],
      ] as const) {
        it(`for ${name}, and is told how to import it`, async () => {
          const path = fixture(name)
          const content = readFileSync(path)
          expect(await expectRefused(path, found)).to.include(`\`perdure db import-durus ${path} NEW\``)
          expect(readFileSync(path).equals(content)).to.equal(true)
        })
      }

      it('for what is no database at all', async () => {
        await expectRefused(written('empty', ''), 'an empty file')
        await expectRefused(written('list.txt', 'eggs\nmilk'), 'text beginning with "eggs"')
        await expectRefused(written('zeros', Buffer.alloc(5000)), 'a file that begins with zeros only')
        await expectRefused(
          written('short', Buffer.from('\x89PE', 'latin1')),
          'a file of another kind, beginning with the bytes 89 50 45',
        )
      })

      it('for a directory', async () => {
        const path = directory.join('folder')
        mkdirSync(path)
        await expectRefused(path, 'a directory')
        expect(readdirSync(path)).to.deep.equal([])
      })

      it('for a file that stands beside a database', async () => {
        const path = await database()
        const words = 'the index of a Perdure database (.index); the database itself is the file beside it'
        await expectRefused(`${path}.index`, words)
      })

      it('for a database that is cut off within its header', async () => {
        const path = await database()
        truncateSync(path, 100)
        await failure('PERDURE_CORRUPTION', () => run(path))
      })
    })
  }

  it('is found out for an export, which can be imported', async () => {
    await using storage = await FileStorage.open(await database())
    let text = ''
    for await (const line of exportLines(storage)) text += line
    const path = written('an export.jsonl', text)
    const error = await failure('PERDURE_NOT_A_DATABASE', () => open(path))
    expect(error.details['found']).to.equal('an export, in lines of JSON')
    expect(error.message).to.include(`\`perdure db import '${path}' --file NEW\``)
  })

  it('is found out for a socket, whose address is given', async () => {
    const path = directory.join('socket')
    const server = createServer().listen(path)
    await new Promise((resolve) => server.once('listening', resolve))
    try {
      const error = await failure('PERDURE_NOT_A_DATABASE', () => open(path))
      expect(error.message).to.include(`perdure+unix://${path}`)
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })

  it('is found out for a pipe, without waiting for a writer', async () => {
    const path = directory.join('pipe')
    execFileSync('mkfifo', [path])
    for (const run of Object.values(OPENERS)) {
      const error = await failure('PERDURE_NOT_A_DATABASE', () => run(path))
      expect(error.details['found']).to.equal('a pipe')
    }
  })

  describe('when it is a database of another kind', () => {
    it('has it opened by that', async () => {
      const path = written('x', 'STAMPED')
      for (const run of [open, serve, packFile]) {
        expect(await run(path).catch(({ message }: Error) => message)).to.equal(`opened ${path}`)
      }
    })

    it('has it refused where only a file will do', async () => {
      const path = written('x', 'STAMPED')
      for (const run of [FileStorage.open, repairFile, (path: string) => truncateAfter(path, 1)]) {
        const error = await failure('PERDURE_UNSUPPORTED', () => run(path))
        expect(error.message).to.include('stamped')
        expect(error.details).to.deep.equal({ path, stored: 'stamped' })
      }
      await failure('PERDURE_ARGUMENT', () => open(path, { storage: 'file' }))
      await failure('PERDURE_ARGUMENT', () => open(path, { storage: 'memory' }))
      expect(readdirSync(directory.path)).to.deep.equal(['x'])
    })
  })

  describe('when it is an SQLite file', () => {
    async function sqlite(): Promise<string> {
      const path = directory.join('bank.perdure')
      await using db = await open(path, { storage: 'sqlite' })
      await db.transact((root) => root.set('ada', 1))
      return path
    }

    it('has one of ours opened as that, whatever its name, and packed', async () => {
      const path = await sqlite()
      for (const options of [{}, { storage: 'sqlite' }, { readonly: true }]) {
        await using db = await open(path, options)
        expect(db.storage.kind).to.equal('sqlite')
        expect(await db.view((root) => root.get('ada'))).to.equal(1)
      }
      const server = await serve(path, { listen: { port: 0 } })
      await server.stop()
      expect((await packFile(path)).objectsAfter).to.equal(1)
    })

    it('has one of ours refused where only a journal will do', async () => {
      const path = await sqlite()
      await failure('PERDURE_ARGUMENT', () => open(path, { storage: 'file' }))
      for (const run of [FileStorage.open, repairFile, (path: string) => truncateAfter(path, 1)]) {
        expect((await failure('PERDURE_UNSUPPORTED', () => run(path))).message).to.include('sqlite')
      }
    })

    it('has one of another application refused, and left alone', async () => {
      const path = directory.join('browser.sqlite')
      const connection = (await loadSqlite()).open(path)
      connection.exec('create table visits(id integer primary key, url text)')
      connection.close()
      const content = readFileSync(path)
      for (const run of [...Object.values(OPENERS), (path: string) => open(path, { storage: 'sqlite' })]) {
        const error = await failure('PERDURE_NOT_A_DATABASE', () => run(path))
        expect(error.details['found']).to.equal('an SQLite database of another application')
      }
      expect(readFileSync(path).equals(content)).to.equal(true)
    })

    it('is not taken for a new one when it is empty', async () => {
      const path = written('bank.sqlite', '')
      for (const options of [{}, { storage: 'sqlite' }]) {
        const error = await failure('PERDURE_NOT_A_DATABASE', () => open(path, options))
        expect(error.message).to.match(/remove it/i)
      }
    })
  })

  describe('when the first bytes of a database are damaged', () => {
    /** Puts zeros in the place of some bytes. */
    function damage(path: string, from: number, to: number): void {
      const content = readFileSync(path)
      content.fill(0, from, to)
      writeFileSync(path, content)
    }

    for (const opener of ['open', 'open, readonly', 'serve', 'FileStorage.open', 'packFile', 'truncateAfter']) {
      it(`is recognised by ${opener}, which says that it is damaged`, async () => {
        const path = await database()
        damage(path, 0, 8)
        const error = await failure('PERDURE_CORRUPTION', () => OPENERS[opener]?.(path))
        expect(error.details).to.deep.equal({ path, offset: 0 })
        expect(error.message).to.include('repairFile()')
      })
    }

    it('is repaired', async () => {
      const path = await database()
      for (const bytes of [1, 8, 128]) {
        damage(path, 0, bytes)
        const to = directory.join(`repaired-${bytes}`)
        const report = await repairFile(path, { to, serializer: 'msgpack' })
        expect(report).to.include({ damaged: true, headerDamaged: true, lostCount: 0 })
        await using db = await open(to)
        expect(await db.view((root) => root.get('ada'))).to.equal(1)
      }
    })

    it('is repaired even if nothing is left at the beginning that says what it is', async () => {
      const path = await database()
      damage(path, 0, FILE_HEADER_BYTES + TRANSACTION_HEADER_BYTES)
      await failure('PERDURE_NOT_A_DATABASE', () => open(path))
      const report = await repairFile(path, { serializer: 'msgpack' })
      expect(report.transactions.whole).to.equal(1)
      await using db = await open(report.to)
      expect(await db.view((root) => root.get('ada'))).to.equal(1)
    })
  })
})
