import type { Connection } from '../../src/core/connection.js'
import type { Database } from '../../src/core/database.js'
import { ConflictError } from '../../src/core/errors.js'
import type { Tid } from '../../src/core/oid.js'
import { Persistent } from '../../src/core/persistent.js'
import type { Root } from '../../src/open.js'

/** Made by each commit, so that there are new objects as well as changed ones. */
export class Receipt extends Persistent {
  number: number

  constructor(number: number) {
    super()
    this.number = number
  }
}

/** Where one writer counts its commits, in two objects: `left` and `right` always agree. */
export class Page extends Persistent {
  number = 0
  /** How many of the commits have also counted in the page that all writers share. */
  shared = 0
  receipt: Receipt | undefined = undefined
  /** Makes the journal grow, so that checkpoints are written often. */
  padding = ''
}

export type Ledger = Root<Record<string, Page>>

export const ledgerClasses = [Page, Receipt]

/** Every how manyth commit of a writer also counts in the page that all share, where writers conflict. */
const SHARED_EVERY = 4

const PADDING = 'x'.repeat(400)

export async function createLedger(database: Database<Ledger>, writers: number): Promise<Tid> {
  const connection = await database.connect()
  for (let writer = 0; writer < writers; writer++) {
    connection.root.set(`left ${writer}`, new Page())
    connection.root.set(`right ${writer}`, new Page())
  }
  connection.root.set('shared', new Page())
  const tid = await connection.commit()
  await connection.close()
  return tid
}

/** Commits a writer's next number, again and again if others are in the way. */
export async function commitNext(
  connection: Connection<Ledger>,
  writer: number,
): Promise<{ number: number; tid: Tid }> {
  for (;;) {
    const left = page(connection, `left ${writer}`)
    const right = page(connection, `right ${writer}`)
    const number = left.number + 1
    left.number = number
    left.receipt = new Receipt(number)
    left.padding = PADDING
    if (number % SHARED_EVERY === 0) page(connection, 'shared').number++
    right.number = number
    right.shared = Math.floor(number / SHARED_EVERY)
    try {
      return { number, tid: await connection.commit() }
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
      connection.abort()
    }
  }
}

/** What a database holds. */
export interface Balance {
  readonly tid: Tid
  /** How often each writer has committed. */
  readonly numbers: readonly number[]
}

/**
 * Reads a ledger and checks all that must agree in it.
 *
 * Every transaction since `createdAt` has counted once, so the counts of all writers together tell that none of those
 * up to the newest is missing. Only packs make transactions of their own.
 *
 * @param mostPacks how many packs there may have been
 * @throws Error if a transaction is there in parts, or missing before one that is there
 */
export async function readBalance(
  database: Database<Ledger>,
  writers: number,
  createdAt: Tid,
  mostPacks = 0,
): Promise<Balance> {
  const connection = await database.connect()
  const numbers = Array.from({ length: writers }, (_, writer) => {
    const left = page(connection, `left ${writer}`)
    const right = page(connection, `right ${writer}`)
    const { number } = left
    const shared = Math.floor(number / SHARED_EVERY)
    if (right.number !== number || right.shared !== shared || (left.receipt?.number ?? 0) !== number) {
      throw new Error(`Writer ${writer}: left is ${number}, right ${right.number}, receipt ${left.receipt?.number}.`)
    }
    return number
  })
  const shared = numbers.reduce((sum, number) => sum + Math.floor(number / SHARED_EVERY), 0)
  if (page(connection, 'shared').number !== shared) {
    throw new Error(`${page(connection, 'shared').number} commits have counted in the shared page, not ${shared}.`)
  }
  const { tid } = connection
  await connection.close()
  const commits = numbers.reduce((sum, number) => sum + number, 0)
  const packs = tid - createdAt - commits
  if (packs < 0 || packs > mostPacks) {
    throw new Error(`There are ${commits} commits of [${numbers}], but ${tid - createdAt} transactions.`)
  }
  return { tid, numbers }
}

function page(connection: Connection<Ledger>, name: string): Page {
  const found = connection.root.get(name)
  if (found === undefined) throw new Error(`There is no page ${name}.`)
  return found
}
