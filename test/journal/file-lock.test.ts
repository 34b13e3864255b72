import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { type PackedError, PerdureError } from '../../src/core/errors.js'
import { acquireFileLock } from '../../src/journal/file-lock.js'
import { describeSelf, type LockHolder, newNonce } from '../../src/journal/lock-holder.js'
import type { LockOrder } from '../support/lock-process.js'

const lockProcess = fileURLToPath(new URL('../support/lock-process.js', import.meta.url))

describe('file lock', () => {
  let folder = ''
  let path = ''
  const children: ChildProcess[] = []

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'perdure-lock-'))
    path = join(folder, 'bank.perdure')
  })

  afterEach(async () => {
    await Promise.all(children.splice(0).map(kill))
    rmSync(folder, { recursive: true })
  })

  function startProcess(): ChildProcess {
    const child = fork(lockProcess)
    children.push(child)
    return child
  }

  /** Puts a lock as another process would have left it. */
  function leaveLock(holder: Partial<LockHolder>, at = `${path}.lock`): LockHolder {
    const complete = { ...describeSelf(), ...holder }
    writeFileSync(at, JSON.stringify(complete))
    return complete
  }

  it('names its holder while it is held, and leaves nothing behind', () => {
    const lock = acquireFileLock(path)
    expect(lock.path).to.equal(`${path}.lock`)
    const holder = JSON.parse(readFileSync(lock.path, 'utf8')) as LockHolder
    expect(holder.pid).to.equal(process.pid)
    expect(Date.parse(holder.since)).to.be.within(Date.now() - 60_000, Date.now())
    expect(readdirSync(folder)).to.deep.equal(['bank.perdure.lock'])
    lock.release()
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('may be released twice, without harm to whoever has taken it since', () => {
    const first = acquireFileLock(path)
    first.release()
    const second = acquireFileLock(path)
    first.release()
    expect(caught(() => acquireFileLock(path)).code).to.equal('PERDURE_LOCKED')
    second.release()
    acquireFileLock(path).release()
  })

  it('is refused to the process that holds it, and says so', () => {
    const lock = acquireFileLock(path)
    const error = caught(() => acquireFileLock(path))
    expect(error.code).to.equal('PERDURE_LOCKED')
    expect(error.message).to.contain(path).and.to.contain('already open in this process')
    lock.release()
  })

  it('is one lock for all names of a file', () => {
    writeFileSync(path, '')
    symlinkSync(path, join(folder, 'other-name'))
    symlinkSync(folder, join(folder, 'other-folder'))
    const lock = acquireFileLock(join(folder, 'other-name'))
    for (const name of ['bank.perdure', 'other-folder/bank.perdure', 'other-folder/other-name']) {
      expect(caught(() => acquireFileLock(join(folder, name))).code).to.equal('PERDURE_LOCKED')
    }
    const absent = acquireFileLock(join(folder, 'other-folder/new.perdure'))
    expect(absent.path).to.equal(join(folder, 'new.perdure.lock'))
    absent.release()
    lock.release()
  })

  it('is refused to a second process, with the pid of the first', async () => {
    const holder = startProcess()
    expect(await order(holder, { take: path })).to.equal(undefined)
    const error = caught(() => acquireFileLock(path))
    expect([error.code, error.details.pid, error.details.path]).to.deep.equal(['PERDURE_LOCKED', holder.pid, path])
    expect(error.message).to.contain(`process ${holder.pid}`).and.to.contain(path).and.to.contain('since 20')
    await order(holder, {})
    acquireFileLock(path).release()
  })

  it('is taken over from a process that was killed', async () => {
    const holder = startProcess()
    await order(holder, { take: path })
    await kill(holder)
    expect(existsSync(`${path}.lock`)).to.equal(true)
    const lock = acquireFileLock(path)
    expect(readdirSync(folder)).to.deep.equal(['bank.perdure.lock'])
    lock.release()
  })

  it('is kept by a process that is stopped', async () => {
    const holder = startProcess()
    await order(holder, { take: path })
    holder.kill('SIGSTOP')
    const error = caught(() => acquireFileLock(path))
    expect([error.code, error.details.pid]).to.deep.equal(['PERDURE_LOCKED', holder.pid])
  })

  it('is released when the process exits', async () => {
    const holder = startProcess()
    await order(holder, { take: path })
    holder.disconnect()
    await once(holder, 'exit')
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('does not listen for the exit of the process once nothing is held', () => {
    const before = process.listenerCount('exit')
    const locks = ['a', 'b', 'c'].map((name) => acquireFileLock(join(folder, name)))
    expect(process.listenerCount('exit')).to.equal(before + 1)
    for (const lock of locks) lock.release()
    expect(process.listenerCount('exit')).to.equal(before)
  })

  it('is not taken from a process that cannot be judged from here, and says what to delete', () => {
    const strangers: Partial<LockHolder>[] = [
      { hostname: 'elsewhere' },
      { hostname: 'elsewhere', bootId: 'another' },
      { pidNamespace: 'pid:[1]' },
      { bootId: undefined },
      { startTime: undefined },
    ]
    for (const stranger of strangers) {
      const holder = leaveLock(stranger)
      const error = caught(() => acquireFileLock(path))
      expect([error.code, error.details.pid]).to.deep.equal(['PERDURE_LOCKED', holder.pid])
      expect(error.message).to.contain(`delete ${path}.lock`).and.to.contain(holder.hostname)
      expect(readdirSync(folder)).to.deep.equal(['bank.perdure.lock'])
    }
  })

  it('is taken over from a process of an earlier boot, and from an earlier one of the same pid', () => {
    for (const dead of [{ bootId: 'earlier' }, { startTime: '1' }]) {
      leaveLock(dead)
      acquireFileLock(path).release()
      expect(readdirSync(folder)).to.deep.equal([])
    }
  })

  it('is taken over from a process that was killed but not yet waited for', async () => {
    const script = '"$0" "$1" "$2" & exec sleep 600'
    const parent = spawn('sh', ['-c', script, process.execPath, lockProcess, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(parent)
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    expect(caught(() => acquireFileLock(path)).details.pid).to.equal(pid)
    process.kill(pid, 'SIGKILL')
    while (!isZombie(pid)) await new Promise(setImmediate)
    acquireFileLock(path).release()
  })

  it('that cannot be read is left alone, and the error says what to do', () => {
    for (const text of ['', '{', 'null', '[]', '{"pid":0}', JSON.stringify({ ...describeSelf(), nonce: '../../x' })]) {
      writeFileSync(`${path}.lock`, text)
      const error = caught(() => acquireFileLock(path))
      expect(error.code).to.equal('PERDURE_LOCKED')
      expect(error.message).to.contain('delete the lock file').and.to.contain(`${path}.lock`)
      expect(readdirSync(folder)).to.deep.equal(['bank.perdure.lock'])
      expect(readFileSync(`${path}.lock`, 'utf8')).to.equal(text)
    }
  })

  it('removes what dead processes left beside it, and nothing else', () => {
    const nonce = newNonce()
    const others = ['bank.perdure', 'bank.perdure.lock.bak', `other.lock.${nonce}.new`]
    for (const name of others) writeFileSync(join(folder, name), 'mine')
    const left = [`.${nonce}.new`, `.${newNonce()}.claim`, `.${newNonce()}.claim.${newNonce()}.new`]
    for (const suffix of left) writeFileSync(`${path}.lock${suffix}`, '')
    acquireFileLock(path).release()
    expect(readdirSync(folder).sort()).to.deep.equal(others.sort())
  })

  it('is taken over even if a process died while it took it over', () => {
    const { nonce } = leaveLock({ startTime: '1' })
    const claim = `${path}.lock.${nonce}.claim`
    const claimant = leaveLock({ startTime: '2' }, claim)
    leaveLock({ startTime: '3' }, `${claim}.${claimant.nonce}.claim`)
    acquireFileLock(path).release()
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('is refused while another process takes it over', () => {
    const { nonce } = leaveLock({ startTime: '1' })
    leaveLock({ pid: process.ppid, startTime: undefined }, `${path}.lock.${nonce}.claim`)
    const error = caught(() => acquireFileLock(path))
    expect([error.code, error.details.pid]).to.deep.equal(['PERDURE_LOCKED', process.ppid])
  })

  it('works on file systems without links', () => {
    const link = () => {
      throw Object.assign(new Error('operation not permitted'), { code: 'EPERM' })
    }
    const lock = acquireFileLock(path, { link })
    expect(readdirSync(folder)).to.deep.equal(['bank.perdure.lock'])
    expect(caught(() => acquireFileLock(path, { link })).details.pid).to.equal(process.pid)
    lock.release()
    leaveLock({ startTime: '1' })
    acquireFileLock(path, { link }).release()
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('reports a folder that is missing, and other failures of the system, by code', () => {
    expect(caught(() => acquireFileLock(join(folder, 'missing', 'db'))).code).to.equal('PERDURE_NOT_FOUND')
    writeFileSync(path, '')
    expect(caught(() => acquireFileLock(join(path, 'db'))).code).to.equal('PERDURE_NOT_FOUND')
    for (const [system, code] of [
      ['ENOSPC', 'PERDURE_NO_SPACE'],
      ['EACCES', 'PERDURE_PERMISSION'],
      ['EIO', 'PERDURE_IO'],
    ]) {
      const link = () => {
        throw Object.assign(new Error('it failed'), { code: system })
      }
      const error = caught(() => acquireFileLock(path, { link }))
      expect([error.code, error.details.path]).to.deep.equal([code, path])
      expect(readdirSync(folder)).to.deep.equal(['bank.perdure'])
    }
  })

  it('goes to exactly one of eight processes that race for it, dead holder or none', async () => {
    const racers = Array.from({ length: 8 }, startProcess)
    for (let round = 0; round < 60; round++) {
      if (round % 3 > 0) {
        const { nonce } = leaveLock({ startTime: '1' })
        if (round % 3 > 1) leaveLock({ startTime: '2' }, `${path}.lock.${nonce}.claim`)
      }
      const at = Date.now() + 5
      const errors = await Promise.all(racers.map((racer) => order(racer, { take: path, at })))
      const winners = racers.filter((_, i) => errors[i] === undefined)
      expect(winners.length, `winners of round ${round}`).to.equal(1)
      for (const error of errors) if (error !== undefined) expect(error.code).to.equal('PERDURE_LOCKED')
      const [winner] = winners as [ChildProcess]
      expect(caught(() => acquireFileLock(path)).details.pid).to.equal(winner.pid)
      await order(winner, {})
      expect(readdirSync(folder), `files after round ${round}`).to.deep.equal([])
    }
  })
})

function isZombie(pid: number): boolean {
  return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) && readdirSync(`/proc/${pid}/task`).length === 1
}

async function order(child: ChildProcess, message: LockOrder): Promise<PackedError | undefined> {
  child.send(message)
  const [answer] = (await once(child, 'message')) as [{ error?: PackedError }]
  return answer.error
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function caught(action: () => unknown): PerdureError {
  try {
    action()
  } catch (error) {
    if (error instanceof PerdureError) return error
    throw error
  }
  throw new Error('it did not throw')
}
