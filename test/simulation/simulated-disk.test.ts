import { expect } from 'chai'
import fc from 'fast-check'
import { systemCode } from '../../src/core/errors.js'
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../src/journal/journal-file.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { crashStates } from './crash-states.js'
import { Random } from './random.js'
import { SimulatedDisk } from './simulated-disk.js'

type Step =
  | { readonly type: 'open'; readonly name: string; readonly mode: 'create' | 'write' }
  | { readonly type: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly size: number }
  | { readonly type: 'read'; readonly position: number; readonly length: number }
  | { readonly type: 'rename' | 'link'; readonly from: string; readonly to: string }
  | { readonly type: 'unlink'; readonly name: string }

const name = fc.constantFrom('a', 'b')
const offset = fc.integer({ min: 0, max: 10_000 })

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant('open' as const), name, mode: fc.constantFrom('create' as const, 'write' as const) }),
  fc.record({ type: fc.constant('write' as const), position: offset, bytes: fc.uint8Array({ maxLength: 6000 }) }),
  fc.record({ type: fc.constant('truncate' as const), size: offset }),
  fc.record({ type: fc.constant('read' as const), position: offset, length: offset }),
  fc.record({ type: fc.constantFrom('rename' as const, 'link' as const), from: name, to: name }),
  fc.record({ type: fc.constant('unlink' as const), name }),
)

/** Takes the steps on a file system and notes everything a program could see. */
function take(steps: readonly Step[], fileSystem: FileSystem, directory: string): unknown[] {
  const seen: unknown[] = []
  const open: OpenFile[] = []
  for (const one of steps) {
    try {
      seen.push(takeOne(one, fileSystem, directory, open))
    } catch (error) {
      const { code } = error as { code?: string }
      seen.push([code, systemCode((error as { cause?: unknown }).cause)])
    }
    seen.push(open.at(-1)?.size(), fileSystem.exists(`${directory}/a`), fileSystem.exists(`${directory}/b`))
  }
  for (const file of open) file.close()
  return seen
}

function takeOne(step: Step, fileSystem: FileSystem, directory: string, open: OpenFile[]): unknown {
  const path = (name: string) => `${directory}/${name}`
  const file = open.at(-1)
  switch (step.type) {
    case 'open':
      return void open.push(fileSystem.open(path(step.name), step.mode))
    case 'write':
      return file?.write([step.bytes.subarray(0, 100), step.bytes.subarray(100)], step.position)
    case 'truncate':
      return file?.truncate(step.size)
    case 'read': {
      const bytes = Buffer.alloc(step.length)
      return [file?.read(bytes, 0, step.length, step.position), bytes.toString('base64')]
    }
    case 'rename':
      return fileSystem.rename(path(step.from), path(step.to))
    case 'link':
      return fileSystem.link(path(step.from), path(step.to))
    case 'unlink':
      return fileSystem.unlink(path(step.name))
  }
}

describe('The simulated disk', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  it('shows a program the same as the real one', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        directory.remove()
        directory = new TemporaryDirectory()
        const simulated = take(steps, new SimulatedDisk(), '/simulated')
        expect(simulated).to.deep.equal(take(steps, nodeFileSystem, directory.path))
      }),
    )
  })

  it('keeps what was synced through every power cut, and nothing else for sure', () => {
    const disk = new SimulatedDisk()
    const file = disk.open('/d/a', 'create')
    file.write([Buffer.alloc(3000, 'x')], 0)
    expect(disk.afterWorstPowerCut().size).to.equal(0)
    file.sync()
    expect(disk.afterWorstPowerCut().size).to.equal(0)
    disk.syncDirectory('/d/a')
    file.write([Buffer.alloc(2000, 'y')], 1000)
    file.truncate(9000)
    disk.rename('/d/a', '/d/b')

    const found = new Set<string>()
    for (const { image } of crashStates(disk, new Random(1), 500)) {
      const [[name, content] = ['none', undefined]] = image
      const bytes = content?.toBuffer() ?? Buffer.alloc(0)
      expect(bytes.toString('latin1', 0, 1000)).to.equal('x'.repeat(1000))
      found.add(`${name} ${bytes.length} ${bytes.includes('y')} ${bytes.includes('x', 1000)}`)
    }
    // Both names, both sizes, and each with the write wholly there, partly, and not at all.
    for (const name of ['/d/a', '/d/b']) {
      for (const size of [3000, 9000]) {
        for (const write of ['true false', 'true true', 'false true']) {
          expect([...found]).to.include(`${name} ${size} ${write}`)
        }
      }
    }
  })

  it('shows what a failed sync has dropped, and does not keep it', () => {
    const disk = new SimulatedDisk()
    const file = disk.open('/d/a', 'create')
    disk.syncDirectory('/d/a')
    file.write([Buffer.from('lost')], 0)
    disk.onFault = ({ type }) => (type === 'sync' ? { code: 'EIO' } : undefined)
    expect(() => file.sync()).to.throw('EIO')
    disk.onFault = undefined
    file.sync()
    expect(disk.afterKill().get('/d/a')?.toBuffer().toString()).to.equal('lost')
    expect(disk.afterWorstPowerCut().get('/d/a')?.size).to.equal(0)
  })
})
