import { fork } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  type PathLike,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { BulkWriter } from '../../src/conversion/bulk-writer.js'
import { Draft, type DraftOptions } from '../../src/conversion/draft.js'
import { encodeRecord } from '../../src/core/record.js'
import { acquireFileLock } from '../../src/journal/file-lock.js'
import { fileSystemOver } from '../../src/journal/journal-file.js'
import { FileStorage } from '../../src/storages/file.js'
import { fileKind } from '../../src/storages/file-kind.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const PROCESS = fileURLToPath(new URL('../support/drafting-process.js', import.meta.url))

describe('Draft', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('new.perdure')
  })

  afterEach(() => directory.remove())

  const names = () => readdirSync(directory.path).sort()
  const create = (options: Partial<DraftOptions> = {}) =>
    Draft.create(path, fileKind, { serializer: 'cbor', ...options })

  async function fill(draft: Draft): Promise<void> {
    const writer = new BulkWriter(draft.storage)
    await writer.add(0, encodeRecord('Thing', [], Buffer.from('state')))
    await writer.flush()
  }

  async function expectWhole(): Promise<void> {
    await using storage = await FileStorage.open(path, { readonly: true })
    expect(storage.statistics()).to.include({ objects: 1 })
    expect(storage.serializer).to.equal('cbor')
    expect(storage.recovery.checkpoint).to.equal('used')
  }

  const systemError = (code: string) => Object.assign(new Error(code), { code })

  it('appears in its place, with its index, only when it is finished', async () => {
    await using draft = await create()
    await fill(draft)
    expect(existsSync(path)).to.equal(false)
    expect(statSync(`${path}.converting`).mode & 0o777).to.equal(0o700)
    const reopened = await draft.reopen()
    expect(reopened).to.include({ readonly: true })
    expect(reopened.statistics()).to.include({ objects: 1 })
    await draft.finish()
    expect(names()).to.deep.equal(['new.perdure', 'new.perdure.index'])
    await expectWhole()
  })

  it('leaves nothing behind when it is given up', async () => {
    {
      await using draft = await create()
      await fill(draft)
    }
    expect(names()).to.deep.equal([])
    const draft = await create()
    await draft.discard()
    await draft.discard()
    expect(names()).to.deep.equal([])
    await failure('PERDURE_CLOSED', () => draft.storage)
  })

  it('replaces nothing that is there, or appears meanwhile', async () => {
    writeFileSync(path, 'mine')
    expect((await failure('PERDURE_ARGUMENT', create)).details).to.include({ path })
    symlinkSync('nowhere', directory.join('link'))
    await failure('PERDURE_ARGUMENT', () => Draft.create(directory.join('link'), fileKind, { serializer: 'cbor' }))
    path = directory.join('other')
    await using draft = await create()
    await fill(draft)
    writeFileSync(path, 'yours')
    await failure('PERDURE_ARGUMENT', () => draft.finish())
    await draft.discard()
    expect(readFileSync(path, 'utf8')).to.equal('yours')
    expect(names()).to.deep.equal(['link', 'new.perdure', 'other'])
  })

  it('replaces nothing that appears at the last moment, and needs no links if there are none', async () => {
    for (const system of ['EEXIST', 'EPERM', 'ENOTSUP']) {
      const linkSync = (_from: PathLike, to: PathLike) => {
        if (system === 'EEXIST') writeFileSync(to, 'yours')
        throw systemError(system)
      }
      path = directory.join(system)
      await using draft = await create({ fileSystem: fileSystemOver({ ...fs, linkSync }) })
      await fill(draft)
      if (system === 'EEXIST') {
        await failure('PERDURE_ARGUMENT', () => draft.finish())
        expect(readFileSync(path, 'utf8')).to.equal('yours')
      } else {
        await draft.finish()
        await expectWhole()
      }
    }
  })

  it('is removed if the disk is full at the end', async () => {
    const fdatasyncSync = () => {
      throw systemError('ENOSPC')
    }
    const draft = await create({ fileSystem: fileSystemOver({ ...fs, fdatasyncSync }) })
    await failure('PERDURE_NO_SPACE', () => draft.finish())
    await draft.discard()
    expect(names()).to.deep.equal([])
  })

  it('takes the place of what a former database has left beside it', async () => {
    writeFileSync(`${path}.index`, 'an old index')
    writeFileSync(`${path}.live`, 'an old mark')
    await using draft = await create()
    await fill(draft)
    await draft.finish()
    expect(names()).to.deep.equal(['new.perdure', 'new.perdure.index'])
    await expectWhole()
  })

  it('lets nobody read more than could read what it is made of', async () => {
    for (const [mode, expected] of [
      [0o600, 0o600],
      [0o640, 0o640],
      [0o777, 0o644],
      [0o444, 0o644],
      [undefined, 0o644],
    ] as const) {
      path = directory.join(`mode-${mode}`)
      await using draft = await create({ mode })
      chmodSync(`${path}.converting/mode-${mode}`, 0o644)
      chmodSync(`${path}.converting`, 0o700)
      await fill(draft)
      await draft.finish()
      expect((statSync(path).mode & 0o777).toString(8)).to.equal(expected.toString(8))
      if (mode === 0o600) expect(statSync(`${path}.index`).mode & 0o077).to.equal(0)
    }
  })

  it('is made by one at a time; nobody else can open a database in its place', async () => {
    await using draft = await create()
    await failure('PERDURE_LOCKED', create)
    await failure('PERDURE_LOCKED', () => FileStorage.open(path))
    await fill(draft)
    await draft.finish()
    await expectWhole()
  })

  it('of a killed process is removed by the next one, and that of a living one is not', async () => {
    const child = fork(PROCESS, [path])
    try {
      await once(child, 'message')
      expect(names()).to.include('new.perdure.converting')
      expect((await failure('PERDURE_LOCKED', create)).details).to.include({ pid: child.pid })
      expect(names()).to.include('new.perdure.converting')
    } finally {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
    expect(names()).to.include('new.perdure.converting')
    await using draft = await create()
    await fill(draft)
    await draft.finish()
    expect(names()).to.deep.equal(['new.perdure', 'new.perdure.index'])
    await expectWhole()
  })

  it('leaves alone what has its name and is none, and what somebody uses', async () => {
    writeFileSync(`${path}.converting`, 'a file')
    await failure('PERDURE_ARGUMENT', create)
    path = directory.join('second')
    mkdirSync(`${path}.converting`)
    writeFileSync(`${path}.converting/diary`, 'dear diary')
    await failure('PERDURE_ARGUMENT', create)
    path = directory.join('third')
    mkdirSync(`${path}.converting`)
    const lock = acquireFileLock(`${path}.converting/third`)
    await failure('PERDURE_LOCKED', create)
    lock.release()
    expect(names()).to.deep.equal(['new.perdure.converting', 'second.converting', 'third.converting'])
    expect(readdirSync(`${path}.converting`)).to.deep.equal([])
  })

  it('says what is wrong with the place or the kind of storage', async () => {
    await failure('PERDURE_NOT_FOUND', () =>
      Draft.create(directory.join('no/folder'), fileKind, { serializer: 'cbor' }),
    )
    const copyless = {
      ...fileKind,
      name: 'copyless',
      open: async () => Object.assign(new MemoryStorage(), { capabilities: new Set() }),
    }
    const error = await failure('PERDURE_UNSUPPORTED', () => Draft.create(path, copyless, { serializer: 'cbor' }))
    expect(error.message).to.match(/copyless/)
    const failing = { ...fileKind, open: () => Promise.reject(new Error('no')) }
    await Draft.create(path, failing, { serializer: 'cbor' }).then(
      () => expect.fail('it must fail'),
      (reason: Error) => expect(reason.message).to.equal('no'),
    )
    expect(names()).to.deep.equal([])
  })
})
