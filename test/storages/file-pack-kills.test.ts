import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { packPath } from '../../src/journal/packed-base.js'
import { FileStorage } from '../../src/storages/file.js'
import { Random } from '../../src/testing/random.js'
import { findFault, numberOf } from '../support/relinking.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const PACKING_PROCESS = fileURLToPath(new URL('../support/packing-process.js', import.meta.url))
const KILLS = 6

describe('a process that packs while it commits', () => {
  let directory: TemporaryDirectory
  let path: string
  let running: ChildProcess | undefined

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
  })

  afterEach(() => {
    running?.kill('SIGKILL')
    directory.remove()
  })

  /** Lets it run until it has said so many lines, kills it, and returns the last number it had acknowledged. */
  async function killAfter(lines: number, seed: number): Promise<number> {
    const child = spawn(process.execPath, [PACKING_PROCESS, path, String(seed)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    running = child
    let acknowledged = 0
    let left = lines
    for await (const line of createInterface(child.stdout)) {
      if (/^\d+$/.test(line)) acknowledged = Number(line)
      if (left-- === 0) child.kill('SIGKILL')
    }
    if (child.signalCode === null && child.exitCode === null) await once(child, 'exit')
    expect(child.signalCode).to.equal('SIGKILL')
    return acknowledged
  }

  it('leaves a whole database behind, whenever it is killed', async () => {
    const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 2 ** 31)
    const random = new Random(seed)
    for (let kills = 0; kills < KILLS; kills++) {
      const acknowledged = await killAfter(20 + random.below(150), random.uint32())
      const storage = await FileStorage.open(path)
      const snapshot = storage.snapshot()
      const told = `PERDURE_SEED=${seed}, kill ${kills}`
      expect(numberOf(snapshot, 1), told).to.be.at.least(acknowledged)
      expect(findFault(snapshot), told).to.equal(undefined)
      snapshot.release()
      expect(existsSync(packPath(path)), told).to.equal(false)
      const problems = (await storage.verify()).problems.filter(({ kind }) => kind !== 'undecodable')
      expect(problems, told).to.deep.equal([])
      await storage.close()
    }
  })
})
