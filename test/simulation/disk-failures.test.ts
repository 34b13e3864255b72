import { expect } from 'chai'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import type { Engine } from './engine.js'
import { type FailureEffect, runWithFailure } from './failing-run.js'
import { engineWithBugs, type PlantedBug } from './planted-bug.js'

const SEEDS = [1, 2, 3]

/** Fails each operation of a workload in turn. */
async function failEach(seed: number, code: 'EIO' | 'ENOSPC', forGood: boolean, engine?: Engine) {
  const effects: Record<FailureEffect, number> = { none: 0, tolerated: 0, thrown: 0, refused: 0 }
  for (let operation = 0; effects.none === 0; operation++) {
    const failure = { seed, operation, code, forGood }
    try {
      effects[await runWithFailure(failure, engine)]++
    } catch (error) {
      throw new Error(`After ${JSON.stringify(failure)}: ${String(error)}`, { cause: error })
    }
  }
  return effects
}

describe('When the disk fails', () => {
  for (const code of ['EIO', 'ENOSPC'] as const) {
    for (const forGood of [false, true]) {
      it(`at any operation, with ${code}, ${forGood ? 'for good' : 'once'}`, async function () {
        this.timeout(120_000)
        let failures = 0
        for (const seed of SEEDS) {
          const { tolerated, thrown, refused } = await failEach(seed, code, forGood)
          failures += tolerated + thrown + refused
          expect(thrown).to.be.greaterThan(0)
          expect(refused).to.be.greaterThan(0)
        }
        console.log(`      seeds ${SEEDS.join(', ')}: ${failures} failures`)
      })
    }
  }
})

interface Case {
  readonly name: string
  readonly bug: PlantedBug
  readonly forGood?: boolean
  readonly finding: RegExp
}

const BUGS: readonly Case[] = [
  {
    name: 'the index is published before the sync',
    bug: {
      file: 'workers/coordinator-loop.js',
      find: 'this.#store(accepted);',
      replace: `for (const { image, position } of accepted)
          image.forEachRecord((oid, offset) => this.#journal.index.set(oid, position + offset));
        this.#store(accepted);`,
    },
    finding: /is not what was stored/,
  },
  {
    name: 'a failed sync is tried again',
    bug: {
      file: 'journal/writer.js',
      find: /this\.#file\.sync\(\);\n\s*this\.#durable = this\.#end;/,
      replace: 'try { this.#file.sync() } catch { this.#file.sync() } this.#durable = this.#end;',
    },
    finding: /The journal has \d+ transactions, not|is damaged/,
  },
  {
    name: 'the storage is not poisoned',
    bug: {
      file: 'workers/coordinator-loop.js',
      find: 'const refusal = this.#poison ?? this.#run(batch);',
      replace: 'this.#poison = undefined; const refusal = this.#run(batch);',
    },
    finding: /The next commit gave/,
  },
  {
    name: 'a poisoned storage finishes its checkpoint',
    bug: {
      file: 'workers/coordinator-loop.js',
      find: /this\.#journal\.checkpoints\.abandon\(\);\s*(?=this\.#poison)/,
      replace: '',
    },
    finding: /A poisoned storage went on/,
  },
  {
    name: 'opening does not sync what it found',
    bug: {
      file: 'journal/journal.js',
      find: /file\.sync\(\);\s*(?=const report)/,
      replace: '',
    },
    finding: /which was never made|transactions; only|after it only/,
  },
  {
    name: 'what recovery keeps is not written again',
    bug: { file: 'journal/journal.js', find: 'rewrite(file, result.durable, state.end);', replace: '' },
    forGood: true,
    finding: /Transaction \d+ was there, and after it only|had been stored safely/,
  },
]

describe('A planted bug is found by failures of the disk', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  for (const { name, bug, forGood = false, finding } of BUGS) {
    it(name, async function () {
      this.timeout(120_000)
      const engine = await engineWithBugs(directory.path, [bug])
      let found = ''
      for (const seed of SEEDS) {
        if (found !== '') break
        found = await failEach(seed, 'EIO', forGood, engine).then(() => '', String)
      }
      expect(found).to.match(finding)
    })
  }
})
