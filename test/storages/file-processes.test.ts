import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { FileStorage } from '../../src/storages/file.js'
import { recordNumber } from '../support/number-record.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const COMMITTING_PROCESS = fileURLToPath(new URL('../support/committing-process.js', import.meta.url))

const FORGETFUL_PROCESS = fileURLToPath(new URL('../support/forgetful-process.js', import.meta.url))

/** A process that commits, and what it has told of. */
class Writer {
  readonly process: ChildProcess
  readonly lines: string[] = []
  readonly #lines: AsyncIterator<string>

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    if (this.process.stdout === null) throw new Error('no output')
    this.#lines = createInterface(this.process.stdout)[Symbol.asyncIterator]()
  }

  static start(path: string, durability = 'fsync'): Writer {
    return new Writer(process.execPath, [COMMITTING_PROCESS, path, durability])
  }

  /** The next line; undefined at the end. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next()
    if (done) return undefined
    this.lines.push(value)
    return value
  }

  /** Reads lines until the process has acknowledged `number`. */
  async reach(number: number): Promise<void> {
    while (Number(this.lines.at(-1) ?? 0) < number) {
      if ((await this.line()) === undefined) throw new Error('the writer has ended')
    }
  }

  async rest(): Promise<void> {
    while ((await this.line()) !== undefined);
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit')
  }
}

/** The number that objects 0 to 9 hold, which must be the same. */
function consistentNumber(storage: FileStorage): number {
  const snapshot = storage.snapshot()
  const numbers = Array.from({ length: 10 }, (_, oid) => recordNumber(snapshot.load(oid)))
  snapshot.release()
  expect(new Set(numbers)).to.have.property('size', 1)
  return numbers[0] as number
}

describe('FileStorage among processes', () => {
  let directory: TemporaryDirectory
  let path: string
  let writer: Writer | undefined
  let open: FileStorage[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
    open = []
    writer = undefined
  })

  afterEach(async () => {
    writer?.process.kill('SIGKILL')
    for (const storage of open) await storage.close()
    directory.remove()
  })

  async function start(...args: Parameters<typeof FileStorage.open>): Promise<FileStorage> {
    const storage = await FileStorage.open(...args)
    open.push(storage)
    return storage
  }

  it('is read while another process writes: all that was acknowledged, whole transactions only', async () => {
    writer = Writer.start(path)
    await writer.reach(5)
    const reader = await start(path, { readonly: true })
    let last = 0
    for (let i = 1; i <= 50; i++) {
      await writer.reach(i * 5)
      const acknowledged = Number(writer.lines.at(-1))
      const before = reader.statistics().tid
      const number = consistentNumber(reader)
      expect(number).to.be.at.least(Math.max(acknowledged, last))
      if (number > before) expect(reader.changes(before, number)).to.include.members([0, 9])
      last = number
    }
    writer.process.stdin?.end()
    await writer.rest()
    expect(consistentNumber(reader)).to.equal(Number(writer.lines.at(-1)))
    writer = Writer.start(path)
    await writer.reach(last + 20)
    expect(consistentNumber(reader), 'a new writer is noticed').to.be.at.least(last + 20)
  })

  it('can be opened readonly where nothing may be written, and writes nothing', async () => {
    writer = Writer.start(path)
    await writer.reach(3)
    writer.process.kill('SIGKILL')
    await writer.rest()
    const before = readdirSync(directory.path).map((name) => [name, readFileSync(directory.join(name), 'latin1')])
    chmodSync(directory.path, 0o555)
    const reader = await start(path, { readonly: true })
    expect(consistentNumber(reader)).to.be.at.least(3)
    await reader.verify()
    await reader.close()
    chmodSync(directory.path, 0o755)
    const after = readdirSync(directory.path).map((name) => [name, readFileSync(directory.join(name), 'latin1')])
    expect(after).to.deep.equal(before)
  })

  for (const durability of ['fsync', 'os']) {
    it(`has every acknowledged commit when its process was killed (${durability})`, async () => {
      for (let round = 1; round <= 3; round++) {
        writer = Writer.start(path, durability)
        await writer.line()
        await writer.reach(Number(writer.lines.at(-1)) + 30 * round)
        writer.process.kill('SIGKILL')
        await writer.rest()
        const acknowledged = Number(writer.lines.at(-1))
        const reader = await start(path, { readonly: true })
        expect(consistentNumber(reader)).to.be.within(acknowledged, acknowledged + 1)
        await reader.close()
        const storage = await start(path)
        expect(consistentNumber(storage)).to.be.within(acknowledged, acknowledged + 1)
        await storage.close()
      }
    })
  }

  it('does not keep a process from ending, but lets its commits be stored', async () => {
    for (const args of [[path], []]) {
      writer = new Writer(process.execPath, [FORGETFUL_PROCESS, ...args])
      const location = await writer.line()
      await writer.rest()
      expect(writer.process.exitCode).to.equal(0)
      expect(existsSync(location as string)).to.equal(args.length > 0)
    }
    const snapshot = (await start(path)).snapshot()
    expect(recordNumber(snapshot.load(0))).to.equal(8)
    snapshot.release()
  })

  it('keeps what was acknowledged when a file may not grow further', async () => {
    // 1 MiB, in blocks of 1 KiB; the limit holds for the child alone.
    writer = new Writer('bash', [
      '-c',
      `ulimit -f 1024 && exec "$0" "$@"`,
      process.execPath,
      COMMITTING_PROCESS,
      path,
      'os',
      '10000',
    ])
    await writer.rest()
    expect(writer.lines.pop()).to.equal('PERDURE_POISONED PERDURE_NO_SPACE')
    const acknowledged = Number(writer.lines.at(-1))
    expect(acknowledged).to.be.greaterThan(50)
    expect(consistentNumber(await start(path))).to.equal(acknowledged)
  })

  it('keeps what was acknowledged when the disk is full', async () => {
    const disk = directory.join('disk')
    mkdirSync(disk)
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]).status !== 0) {
      // Without the right to mount, /dev/full is the only full disk at hand: it refuses every write.
      expect(() => writeFileSync('/dev/full', 'x')).to.throw('ENOSPC')
      return
    }
    try {
      const full = `${disk}/a.perdure`
      writer = new Writer(process.execPath, [COMMITTING_PROCESS, full, 'fsync', '10000'])
      await writer.rest()
      expect(writer.lines.pop()).to.equal('PERDURE_POISONED PERDURE_NO_SPACE')
      const acknowledged = Number(writer.lines.at(-1))
      expect(acknowledged).to.be.greaterThan(50)
      const reader = await start(full, { readonly: true })
      expect(consistentNumber(reader)).to.equal(acknowledged)
      await reader.close()
    } finally {
      rmSync(`${disk}/a.perdure`, { force: true })
      spawnSync('umount', [disk])
    }
  })
})
