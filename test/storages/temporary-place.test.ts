import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { open } from '../../src/index.js'
import { describeSelf, type LockHolder } from '../../src/journal/lock-holder.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import type { TemporaryOrder } from '../support/temporary-process.js'

const PROGRAM = fileURLToPath(new URL('../support/temporary-process.js', import.meta.url))

/** Kinds of storage that keep a temporary database in a file. */
const KINDS = ['file', 'sqlite']

interface Answer {
  readonly locations: readonly string[]
  readonly warnings: readonly string[]
}

describe('A temporary database', () => {
  let directory: TemporaryDirectory
  const children: ChildProcess[] = []

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(async () => {
    for (const child of children.splice(0)) await end(child, 'SIGKILL')
    directory.remove()
  })

  /** A process whose temporary files are in the folder of the test. */
  function start(): ChildProcess {
    const { path } = directory
    const child = fork(PROGRAM, { env: { ...process.env, TMPDIR: path, TMP: path, TEMP: path } })
    children.push(child)
    return child
  }

  async function tell(child: ChildProcess, order: TemporaryOrder): Promise<Answer> {
    child.send(order)
    const [answer] = (await once(child, 'message')) as [Answer]
    return answer
  }

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  const files = () => readdirSync(directory.path)

  for (const storage of KINDS) {
    describe(`of the kind ${storage}`, () => {
      it('is removed when it is closed', async () => {
        const child = start()
        const { locations } = await tell(child, { open: 1, storage })
        expect(locations.map((location) => dirname(dirname(location)))).to.deep.equal([directory.path])
        expect(locations.map(existsSync)).to.deep.equal([true])
        await tell(child, 'close')
        expect(files()).to.deep.equal([])
      })

      it('is removed when its process ends without closing it', async () => {
        const child = start()
        await tell(child, { open: 3, storage })
        expect(files()).to.have.length(3)
        child.send('exit' satisfies TemporaryOrder)
        await once(child, 'exit')
        expect(files()).to.deep.equal([])
      })

      for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        it(`is removed after ${signal} by whoever makes the next one, and no other is`, async () => {
          const [victim, other, next] = [start(), start(), start()]
          const kept = await tell(other, { open: 2, storage })
          const left = await tell(victim, { open: 2, storage })
          await end(victim, signal)
          expect(left.locations.map(existsSync)).to.deep.equal([true, true])
          await tell(next, { open: 1, storage })
          expect(left.locations.map((location) => existsSync(dirname(location)))).to.deep.equal([false, false])
          expect(kept.locations.map(existsSync)).to.deep.equal([true, true])
          await tell(other, 'close')
          await tell(next, 'close')
          expect(files()).to.deep.equal([])
        })
      }

      it('is one of many, without a warning', async () => {
        const child = start()
        const { warnings } = await tell(child, { open: 15, storage })
        expect(warnings).to.deep.equal([])
        await tell(child, 'close')
      })
    })
  }

  it('in memory makes no file', async () => {
    const { locations } = await tell(start(), { open: 1, storage: 'memory' })
    expect(locations).to.deep.equal(['memory'])
    expect(files()).to.deep.equal([])
  })

  it('is never taken for one that was left, if that is not certain', async () => {
    const self = describeSelf()
    const dead = { pid: 2 ** 22 + 1, nonce: '0123456789abcdef' }
    const owners: Record<string, Partial<LockHolder> | string | undefined> = {
      'perdure-temporary-dead': dead,
      'perdure-temporary-unfinished': undefined,
      'perdure-temporary-nonsense': '{"pid":1',
      'perdure-temporary-host': { ...dead, hostname: 'elsewhere' },
      'perdure-temporary-container': { ...dead, pidNamespace: 'pid:[1]' },
      'perdure-temporary-alive': {},
      'perdure-other': dead,
    }
    for (const [name, owner] of Object.entries(owners)) {
      mkdirSync(directory.join(name))
      if (owner === undefined) continue
      const text = typeof owner === 'string' ? owner : JSON.stringify({ ...self, ...owner })
      writeFileSync(directory.join(`${name}/owner`), text)
    }
    symlinkSync(directory.join('perdure-other'), directory.join('perdure-temporary-link'))
    const child = start()
    await tell(child, { open: 1, storage: 'file' })
    await tell(child, 'close')
    const kept = Object.keys(owners).filter((name) => name !== 'perdure-temporary-dead')
    expect(files()).to.have.members([...kept, 'perdure-temporary-link'])
    expect(readdirSync(directory.join('perdure-other'))).to.deep.equal(['owner'])
  })

  it('cannot be readonly, and one in memory has no path', async () => {
    for (const storage of ['file', 'memory']) {
      await failure('PERDURE_ARGUMENT', () => open(undefined, { storage, readonly: true }))
    }
    const error = await failure('PERDURE_ARGUMENT', () => open(directory.join('x'), { storage: 'memory' }))
    expect(error.message).to.include(directory.join('x'))
    expect(files()).to.deep.equal([])
  })
})
