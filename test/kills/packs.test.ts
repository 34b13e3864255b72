import { existsSync } from 'node:fs'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import { open } from '../../src/open.js'
import { Random, runSeed } from '../../src/testing/random.js'
import { Books } from './books.js'
import { type Balance, createLedger, ledgerClasses, type Page, readBalance } from './ledger.js'
import type { Victim } from './victim.js'
import { Victims } from './victims.js'

const seed = runSeed()

const WRITERS = 6

/** How often a process is killed, for each durability. */
const KILLS = 15

/** After so many kills a reader looks at the file before the next process repairs it. */
const READER_EVERY = 4

/** A victim is killed when it has told of so many packs, at most: the first takes longest, as threads are started. */
const MAX_PACKS = 3

/** And so long after that, at most, in ms: as long as a pack takes. */
const MAX_DELAY_MS = 60

describe(`a process that is killed while it packs (PERDURE_SEED=${seed})`, () => {
  let victims: Victims
  let path: string

  beforeEach(() => {
    victims = new Victims()
    path = victims.join('ledger.perdure')
  })

  afterEach(() => victims.remove())

  function packsOf({ messages }: Victim): number {
    return messages.filter(({ kind }) => kind === 'packed').length
  }

  async function untilPacked(victim: Victim, packs: number): Promise<void> {
    while (packsOf(victim) < packs) await victim.told(victim.messages.length + 1)
  }

  async function create(): Promise<number> {
    await using database = await open<Record<string, Page>>(path, { classes: ledgerClasses })
    return await createLedger(database, WRITERS)
  }

  async function balance(createdAt: number, mostPacks: number, readonly: boolean): Promise<Balance> {
    await using database = await open<Record<string, Page>>(path, { classes: ledgerClasses, readonly })
    if (!readonly) expect((await database.verify()).problems).to.deep.equal([])
    return await readBalance(database, WRITERS, createdAt, mostPacks)
  }

  for (const durability of ['fsync', 'os'] as const) {
    it(`leaves the old journal or the new one, whole, ${KILLS} times over (${durability})`, async () => {
      const random = new Random(seed)
      const options = { path, durability, threads: 1, writers: WRITERS, createdAt: await create(), packing: true }
      const books = new Books(WRITERS, options.createdAt)
      let packs = 0
      let unfinished = 0
      let next = victims.start(options)
      for (let round = 1; round <= KILLS; round++) {
        const victim = next
        await victim.told(1)
        victim.go()
        next = victims.start(options)
        await untilPacked(victim, 1 + random.below(MAX_PACKS))
        // At any moment, or while the new journal is being written.
        if (random.below(2) === 0) await delay(random.below(MAX_DELAY_MS))
        else while (!existsSync(`${path}.pack`)) await nextTurn()
        await victims.kill(victim)
        books.enter(victim.messages)
        packs += packsOf(victim)
        if (existsSync(`${path}.pack`)) unfinished++
        // A pack of each victim may have come to its end without having been told.
        if (round % READER_EVERY === 0) books.read(await balance(options.createdAt, packs + round, true))
      }
      await victims.kill(next)
      const last = await balance(options.createdAt, packs + KILLS, false)
      books.recovered(last)
      const commits = last.numbers.reduce((sum, number) => sum + number, 0)
      expect(last.tid - options.createdAt - commits, 'packs that are there').to.be.at.least(packs)
      expect(existsSync(`${path}.pack`)).to.equal(false)
      console.log(`      ${books.acknowledged} commits, ${packs} packs, ${unfinished} killed before their end`)
      expect(packs).to.be.at.least(KILLS)
      expect(unfinished).to.be.greaterThan(0)
    }).timeout(180_000)
  }
})
