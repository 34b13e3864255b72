import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { open } from '../../src/open.js'
import { Random, runSeed } from '../../src/testing/random.js'
import { Books } from './books.js'
import { type Balance, createLedger, ledgerClasses, type Page, readBalance } from './ledger.js'
import type { Victim } from './victim.js'
import type { VictimOptions } from './victim-messages.js'
import { Victims } from './victims.js'

const seed = runSeed()

/** How often a process is killed, for each durability. */
const rounds = {
  'several connections': { threads: 0, kills: 70 },
  'two application threads': { threads: 2, kills: 30 },
}

/** After so many kills a reader looks at the file before the next process repairs it. */
const READER_EVERY = 5

/** A victim is killed when it has acknowledged about so many commits, at most. */
const MAX_COMMITS = 40

/** Or so long after it was told to open the file, at most, in ms. */
const MAX_OPENING_MS = 80

describe(`a process that is killed (PERDURE_SEED=${seed})`, () => {
  let victims: Victims
  let path: string

  beforeEach(() => {
    victims = new Victims()
    path = victims.join('ledger.perdure')
  })

  afterEach(() => victims.remove())

  async function create(writers: number): Promise<number> {
    await using database = await open<Record<string, Page>>(path, { classes: ledgerClasses })
    return await createLedger(database, writers)
  }

  async function balance({ writers, createdAt }: VictimOptions, readonly: boolean): Promise<Balance> {
    await using database = await open<Record<string, Page>>(path, { classes: ledgerClasses, readonly })
    if (!readonly) expect((await database.verify()).problems).to.deep.equal([])
    return await readBalance(database, writers, createdAt)
  }

  /** Waits for the moment of the kill: while the file is opened, or among the commits. */
  async function untilDoomed(victim: Victim, random: Random): Promise<void> {
    if (random.below(5) === 0) await delay(random.below(MAX_OPENING_MS))
    else {
      await victim.told(2 + random.below(MAX_COMMITS))
      await delay(random.below(4))
    }
  }

  for (const durability of ['fsync', 'os'] as const) {
    for (const [name, { threads, kills }] of Object.entries(rounds)) {
      it(`loses no acknowledged commit of ${name}, ${kills} times over (${durability})`, async () => {
        const random = new Random(seed)
        const writers = 6
        const options = { path, durability, threads, writers, createdAt: await create(writers) }
        const books = new Books(writers, options.createdAt)
        let next = victims.start(options)
        for (let round = 0; round < kills; round++) {
          const victim = next
          await victim.told(1)
          victim.go()
          // The next process loads its modules while this one works.
          next = victims.start(options)
          await untilDoomed(victim, random)
          await victims.kill(victim)
          books.enter(victim.messages)
          if (round % READER_EVERY === 0) books.read(await balance(options, true))
        }
        await victims.kill(next)
        books.recovered(await balance(options, false))
        expect(books.acknowledged).to.be.greaterThan(kills * 5)
      }).timeout(120_000)
    }
  }
})
