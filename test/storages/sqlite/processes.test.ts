import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, readdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import type { Snapshot } from '../../../src/core/storage.js'
import { SqliteStorage } from '../../../src/storages/sqlite.js'
import { failure } from '../../support/errors.js'
import { numberRecord, recordNumber } from '../../support/number-record.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

const PROGRAM = fileURLToPath(new URL('../../support/sqlite-process.js', import.meta.url))
const WITHOUT_LIBSQL = new URL('../../support/without-libsql.js', import.meta.url).href
const MODULE = new URL('../../../src/storages/sqlite.js', import.meta.url).href
const PERDURE = new URL('../../../src/index.js', import.meta.url).href
const ENGINE = new URL('../../../src/storages/sqlite/load-engine.js', import.meta.url).href

/** The number that objects 0 to 9 hold, which must be the same; those that a pack has removed are not there. */
function consistentNumber(snapshot: Snapshot): number {
  const numbers = Array.from({ length: 10 }, (_, oid) => snapshot.load(oid)).filter((record) => record !== undefined)
  const different = new Set(numbers.map(recordNumber))
  expect(different).to.have.property('size', 1)
  return [...different][0] as number
}

/** Of a thread that opens and closes a database, tells so, and ends when it is told to. */
function lookingProgram(path: string): string {
  return `
    const { parentPort } = require('node:worker_threads')
    parentPort.once('message', () => {})
    import(${JSON.stringify(PERDURE)}).then(async ({ open }) => {
      const db = await open(${JSON.stringify(path)}, { readonly: true })
      await db.close()
      parentPort.postMessage('looked')
    })
  `
}

describe('SqliteStorage among processes', () => {
  let directory: TemporaryDirectory
  let path: string
  let writer: ChildProcess | undefined
  let lines: AsyncIterator<string>
  let open: SqliteStorage[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.sqlite')
    open = []
    writer = undefined
  })

  afterEach(async () => {
    writer?.kill('SIGKILL')
    for (const storage of open) await storage.close()
    directory.remove()
  })

  async function start(...args: Parameters<typeof SqliteStorage.open>): Promise<SqliteStorage> {
    const storage = await SqliteStorage.open(...args)
    open.push(storage)
    return storage
  }

  function startWriter(): ChildProcess {
    writer = spawn(process.execPath, [PROGRAM, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    if (writer.stdout === null) throw new Error('no output')
    lines = createInterface(writer.stdout)[Symbol.asyncIterator]()
    return writer
  }

  /** Reads what the writer tells until it is this. Returns the number it has acknowledged last. */
  async function told(wanted: (line: string) => boolean): Promise<number> {
    for (let last = 0; ; ) {
      const { value, done } = await lines.next()
      if (done) throw new Error('the writer has ended')
      if (value !== 'packed') last = Number(value)
      if (wanted(value)) return last
    }
  }

  it('is read while another process writes and packs it, and snapshots stay as they are', async () => {
    const process = startWriter()
    await told((line) => line === '5')
    const reader = await start(path, { readonly: true })
    const held = reader.snapshot()
    const heldNumber = consistentNumber(held)
    const records: number[] = []
    for await (const record of held.records()) records.push(recordNumber(record))
    expect(records).to.deep.equal(new Array(10).fill(heldNumber))
    for (let round = 0; round < 3; round++) {
      process.stdin?.write('pack\n')
      const acknowledged = await told((line) => line === 'packed')
      const snapshot = reader.snapshot()
      expect(consistentNumber(snapshot)).to.be.at.least(acknowledged)
      expect(snapshot.tid).to.be.greaterThan(held.tid)
      snapshot.release()
    }
    for (let oid = 0; oid < 10; oid++) expect(recordNumber(held.load(oid))).to.equal(heldNumber)
    held.release()
    expect(reader.statistics()['historyFrom']).to.be.greaterThan(0)
    await failure('PERDURE_HISTORY', () => reader.snapshotAt(1))
    process.stdin?.end()
    await once(process, 'exit')
    expect(process.exitCode).to.equal(0)
    expect((await reader.verify()).problems.filter(({ kind }) => kind === 'damaged')).to.deep.equal([])
  })

  it('is written by one process at a time, and the other one is told by which', async () => {
    const process = startWriter()
    await told(() => true)
    const { details } = await failure('PERDURE_LOCKED', () => start(path))
    expect(details.pid).to.equal(process.pid)
    process.kill('SIGKILL')
    await once(process, 'exit')
    const storage = await start(path)
    await failure('PERDURE_LOCKED', () => start(path))
    expect(storage.statistics().tid).to.be.greaterThan(0)
  })

  it('shows what a process has committed that was killed', async () => {
    const process = startWriter()
    const acknowledged = await told((line) => line === '20')
    process.kill('SIGKILL')
    await once(process, 'exit')
    const reader = await start(path, { readonly: true })
    const snapshot = reader.snapshot()
    expect(consistentNumber(snapshot)).to.be.at.least(acknowledged)
    snapshot.release()
  })

  for (const among of ['while it is open', 'before it is open']) {
    it(`keeps its locks when a thread ends that has looked at the file ${among}`, async () => {
      await (await start(path)).close()
      const early = among.startsWith('before') ? new Worker(lookingProgram(path), { eval: true }) : undefined
      if (early !== undefined) await once(early, 'message')
      const storage = await start(path)
      await storage.commit({ base: 0, reads: [], writes: [{ oid: 0, data: numberRecord(1) }] })
      const thread = early ?? new Worker(lookingProgram(path), { eval: true })
      if (early === undefined) await once(thread, 'message')
      const exit = once(thread, 'exit')
      thread.postMessage('end')
      await exit
      // Who closes a database as the last one does away with its WAL.
      const tool = `
        const { loadSqlite } = await import(${JSON.stringify(ENGINE)})
        const connection = (await loadSqlite()).open(process.argv[1])
        connection.prepare('select count(*) from transactions').get()
        connection.close()
      `
      await promisify(execFile)(process.execPath, ['--input-type=module', '-e', tool, path])
      await storage.commit({ base: 1, reads: [], writes: [{ oid: 0, data: numberRecord(2) }] })
      const reader = `
        const { SqliteStorage } = await import(${JSON.stringify(MODULE)})
        console.log((await SqliteStorage.open(process.argv[1], { readonly: true })).statistics().tid)
      `
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', reader, path])
      expect(stdout.trim()).to.equal('2')
    })
  }

  it('closes its files when it is closed again and again without a pause', async () => {
    await (await start(path)).close()
    const program = `
      import { readdirSync } from 'node:fs'
      const { SqliteStorage } = await import(${JSON.stringify(MODULE)})
      for (let i = 0; i < 50; i++) {
        await (await SqliteStorage.open(process.argv[1], { readonly: true })).close()
        gc()
      }
      console.log(readdirSync('/dev/fd').length)
    `
    const args = ['--expose-gc', '--input-type=module', '-e', program, path]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    expect(Number(stdout)).to.be.within(3, 60)
  })

  it('does not take what another database has left for its own', async () => {
    const process = startWriter()
    await told((line) => line === '5')
    process.kill('SIGKILL')
    await once(process, 'exit')
    const other = await start(directory.join('other.sqlite'))
    const moved = directory.join('moved.sqlite')
    renameSync(path, moved)
    expect((await failure('PERDURE_ARGUMENT', () => start(path))).message).to.include(`${path}-wal`)
    await failure('PERDURE_ARGUMENT', () => other.backup(path))
    renameSync(moved, path)
    expect((await start(path)).statistics().tid).to.be.at.least(5)
  })

  it('is read where nothing can be written beside it, until somebody writes it', async () => {
    const made = await start(path)
    await made.commit({ base: 0, reads: [], writes: [{ oid: 0, data: numberRecord(1) }] })
    await made.close()
    const copy = directory.join('copy.sqlite')
    copyFileSync(path, copy)
    const program = `
      import { once } from 'node:events'
      import { SqliteStorage } from ${JSON.stringify(MODULE)}
      if (process.getuid?.() === 0) process.setuid(65534)
      const reader = await SqliteStorage.open(process.argv[1], { readonly: true })
      const snapshot = reader.snapshot()
      console.log(snapshot.tid, snapshot.load(0)?.tid)
      await once(process.stdin, 'data')
      try {
        snapshot.load(0)
      } catch (error) {
        console.log(error.code)
      }
      process.exit()
    `
    chmodSync(directory.path, 0o555)
    try {
      writer = spawn(process.execPath, ['--input-type=module', '-e', program, copy], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      if (writer.stdout === null) throw new Error('no output')
      lines = createInterface(writer.stdout)[Symbol.asyncIterator]()
      expect((await lines.next()).value).to.equal('1 1')
      expect(readdirSync(directory.path).filter((name) => name.startsWith('copy'))).to.deep.equal(['copy.sqlite'])
      utimesSync(copy, 1, 1)
      writer.stdin?.write('go on')
      expect((await lines.next()).value).to.equal('PERDURE_STALE')
    } finally {
      chmodSync(directory.path, 0o755)
    }
  })

  it('says what to install where there is no SQLite, and needs it for nothing else', async () => {
    const program = `
      import { open } from ${JSON.stringify(PERDURE)}
      const db = await open()
      await db.close()
      const found = await open(process.argv[2], { storage: 'sqlite' }).catch((error) => error)
      console.log(found.code ?? 'opened', found.message ?? '')
      if (found.code === undefined) await found.close()
    `
    const file = directory.join('program.mjs')
    writeFileSync(file, program)
    const args = ['--import', WITHOUT_LIBSQL, file, path]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    if (Number.parseInt(process.versions.node, 10) >= 24) expect(stdout.trim()).to.equal('opened')
    else expect(stdout).to.match(/^PERDURE_UNSUPPORTED .*npm install libsql/)
  })
})
