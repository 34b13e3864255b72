import { expect } from 'chai'
import { open } from '../../src/open.js'
import { failure } from '../support/errors.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { Books } from './books.js'
import { type Balance, createLedger, ledgerClasses, type Page, readBalance } from './ledger.js'
import { Victim } from './victim.js'
import type { VictimOptions } from './victim-messages.js'

const WRITERS = 6

describe('a process that is frozen', () => {
  let directory: TemporaryDirectory
  let path: string
  let victim: Victim | undefined

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('ledger.perdure')
    victim = undefined
  })

  afterEach(async () => {
    await victim?.kill()
    directory.remove()
  })

  async function balance(createdAt: number, readonly: boolean): Promise<Balance> {
    await using database = await open<Record<string, Page>>(path, { classes: ledgerClasses, readonly })
    return await readBalance(database, WRITERS, createdAt)
  }

  async function create(): Promise<number> {
    await using database = await open<Record<string, Page>>(path, { classes: ledgerClasses })
    return await createLedger(database, WRITERS)
  }

  for (const durability of ['fsync', 'os'] as const) {
    it(`keeps its lock, goes on when it is thawed, and loses nothing when it is killed instead (${durability})`, async () => {
      const createdAt = await create()
      const options: VictimOptions = { path, durability, threads: 2, writers: WRITERS, createdAt }
      const frozen = Victim.start(options)
      victim = frozen
      frozen.go()
      for (let round = 1; round <= 5; round++) {
        await frozen.told(30 * round)
        frozen.freeze()
        const error = await failure('PERDURE_LOCKED', () => open(path, { classes: ledgerClasses }))
        expect(error.details.pid).to.equal(frozen.pid)
        expect(error.message).to.include(`process ${frozen.pid}`)
        // Readers need no lock, and see whole transactions whatever the writer was in the middle of.
        await balance(createdAt, true)
        frozen.thaw()
      }
      frozen.freeze()
      await failure('PERDURE_LOCKED', () => open(path, { classes: ledgerClasses }))
      victim = undefined
      await frozen.kill()
      const books = new Books(WRITERS, createdAt)
      books.enter(frozen.messages)
      expect(books.acknowledged).to.be.at.least(148)
      books.recovered(await balance(createdAt, false))
      expect(await balance(createdAt, true)).to.deep.equal(await balance(createdAt, false))
    })
  }
})
