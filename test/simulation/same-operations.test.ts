import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { LoggingFileSystem } from './logging-file-system.js'
import { SimulatedDisk } from './simulated-disk.js'
import { hasStrace, traceProgram } from './strace.js'
import { describeOperation, runTracedWorkload } from './traced-workload.js'

const PROGRAM = fileURLToPath(new URL('./traced-program.js', import.meta.url))

describe('The real disk is asked for the same as the simulated one', () => {
  let directory: TemporaryDirectory
  let simulated: string[]
  let checkpoints: number[][]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    const disk = new SimulatedDisk()
    checkpoints = runTracedWorkload(disk, '/simulated/database')
    simulated = disk.operations.map((operation) => describeOperation(operation, '/simulated'))
  })

  afterEach(() => directory.remove())

  it('in a workload that does everything', () => {
    expect(checkpoints.at(-1)?.at(-1)).to.be.greaterThan(1)
    const kinds = new Set(simulated.map((line) => line.split(' ')[0]))
    expect([...kinds].sort()).to.deep.equal(
      ['create', 'rename', 'sync', 'sync-directory', 'truncate', 'unlink', 'write'].sort(),
    )
  })

  it('through the seam', () => {
    const real = new LoggingFileSystem()
    runTracedWorkload(real, directory.join('database'))
    expect(real.operations.map((operation) => describeOperation(operation, directory.path))).to.deep.equal(simulated)
  })

  if (hasStrace()) {
    it('by a FileStorage with its thread, as the system sees it', function () {
      this.timeout(120_000)
      const output = new TemporaryDirectory()
      try {
        const args = [PROGRAM, directory.join('database'), JSON.stringify(checkpoints)]
        const calls = traceProgram(args, directory.path, output.join('trace'))
        expect(calls.filter((call) => !call.includes('.lock'))).to.deep.equal(simulated)
        // A lock that a power cut leaves must be readable, or nobody would ever take it over.
        const locks = calls.filter((call) => call.includes('.lock'))
        const links = locks.flatMap((call, i) => (call.startsWith('link') ? [i] : []))
        expect(links.length).to.equal(checkpoints.length)
        for (const i of links) expect(locks[i - 1]).to.match(/^fsync database\.lock\.\w+\.new$/)
      } finally {
        output.remove()
      }
    })
  }
})
