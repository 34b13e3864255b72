import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import { importDurusRaw } from '../../src/durus/import-raw.js'
import { openDurusFile } from '../../src/durus/open.js'
import type { DurusSource } from '../../src/durus/source.js'
import { Random, runSeed } from '../../src/testing/random.js'
import { expectUntouched } from '../support/durus-fixtures.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { damagedFile, fuzzFiles, fuzzSqlite } from './fuzz.js'

const FILES = 13_000
const SQLITE_FILES = 2000
const IMPORTS = 60

/** A database takes longer, the larger its oids are. */
function hasSmallOids(source: DurusSource): boolean {
  for (const oid of source.oids()) {
    const references = source.load(oid)?.references ?? []
    if ([oid, ...references].some((each) => each > 2 ** 20)) return false
  }
  return true
}

describe('Damaged Durus files', () => {
  const seed = runSeed()
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  it(`are read, or refused with the place (PERDURE_SEED=${seed})`, () => {
    const { read, torn, refused, foreign } = fuzzFiles(new Random(seed), FILES)
    expect(read + refused + foreign).to.equal(FILES)
    expect(read).to.be.above(FILES / 10)
    expect(torn).to.be.above(FILES / 100)
    expect(refused).to.be.above(FILES / 10)
  })

  it(`are read, or refused, by SQLite (PERDURE_SEED=${seed})`, async () => {
    const { read, refused, foreign } = await fuzzSqlite(new Random(seed), SQLITE_FILES, directory.join('a.durus'))
    expect(read + refused + foreign).to.equal(SQLITE_FILES)
    expect(read).to.be.above(SQLITE_FILES / 20)
    expect(refused).to.be.above(SQLITE_FILES / 10)
  })

  it(`are imported, or leave nothing behind (PERDURE_SEED=${seed})`, async () => {
    const random = new Random(seed)
    const path = directory.join('a.durus')
    let imported = 0
    for (let i = 0; i < IMPORTS; i++) {
      writeFileSync(path, damagedFile(random))
      const check = expectUntouched(path)
      try {
        const source = await openDurusFile(path)
        try {
          if (hasSmallOids(source)) {
            await importDurusRaw(source, directory.join('new'))
            imported++
            for (const name of readdirSync(directory.path)) if (name !== 'a.durus') rmSync(directory.join(name))
          }
        } finally {
          source.close()
        }
      } catch (error) {
        if (!(error instanceof PerdureError)) throw error
        expect(error.code).to.be.oneOf(['PERDURE_CORRUPTION', 'PERDURE_LIMIT', 'PERDURE_NOT_A_DATABASE'])
      }
      check()
    }
    expect(imported).to.be.above(IMPORTS / 20)
  })
})
