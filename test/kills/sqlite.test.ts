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

const WRITERS = 6

/** After so many kills a reader looks at the database before the next process writes it. */
const READER_EVERY = 4

/** A victim is killed when it has told so many things, at most. */
const MAX_MESSAGES = 40

/** Or so long after it was told to open the database, at most, in ms. */
const MAX_OPENING_MS = 150

const rounds: readonly [name: string, kills: number, options: Partial<VictimOptions>][] = [
  ['several connections', 40, {}],
  ['two application threads', 15, { threads: 2 }],
  ['several connections, without sync', 15, { durability: 'os' }],
  ['several connections while it is packed', 25, { packing: true }],
]

describe(`a process with an SQLite database that is killed (PERDURE_SEED=${seed})`, () => {
  let victims: Victims
  let path: string

  beforeEach(() => {
    victims = new Victims()
    path = victims.join('ledger.sqlite')
  })

  afterEach(() => victims.remove())

  async function create(): Promise<number> {
    await using database = await open<Record<string, Page>>(path, { classes: ledgerClasses, storage: 'sqlite' })
    return await createLedger(database, WRITERS)
  }

  async function balance({ createdAt, packing = false }: VictimOptions, readonly: boolean): Promise<Balance> {
    await using database = await open<Record<string, Page>>(path, { classes: ledgerClasses, readonly })
    expect(database.storage.kind).to.equal('sqlite')
    if (!readonly) expect((await database.verify()).problems).to.deep.equal([])
    return await readBalance(database, WRITERS, createdAt, packing ? Number.POSITIVE_INFINITY : 0)
  }

  async function untilDoomed(victim: Victim, random: Random): Promise<void> {
    if (random.below(5) === 0) await delay(random.below(MAX_OPENING_MS))
    else {
      await victim.told(2 + random.below(MAX_MESSAGES))
      await delay(random.below(4))
    }
  }

  for (const [name, kills, more] of rounds) {
    it(`loses no acknowledged commit of ${name}, ${kills} times over`, async () => {
      const random = new Random(seed)
      const createdAt = await create()
      const options: VictimOptions = {
        path,
        storage: 'sqlite',
        durability: 'fsync',
        threads: 0,
        writers: WRITERS,
        createdAt,
        ...more,
      }
      const books = new Books(WRITERS, createdAt)
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
    }).timeout(240_000)
  }
})
