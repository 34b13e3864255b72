import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open, Persistent, type Root } from 'perdure'

class Account extends Persistent {
  owner = ''
  balance = 0
  history: string[] = []

  transfer(amount: number, to: Account): void {
    if (amount > this.balance) throw new InsufficientFunds(this.owner)
    this.balance -= amount
    to.balance += amount
    this.history.push(`${amount} to ${to.owner}`)
    to.history.push(`${amount} from ${this.owner}`)
  }
}

class InsufficientFunds extends Error {
  constructor(readonly owner: string) {
    super(`${owner} cannot pay that much.`)
  }
}

/** The root object: accounts by owner. */
type Bank = Root<Accounts>

type Accounts = Record<string, Account>

const OWNERS = ['Ada', 'Barbara', 'Edgar', 'Grace', 'Jim', 'Michael']
const OPENING_BALANCE = 100
const TRANSFERS = 200
const CONCURRENT = 8

const folder = await mkdtemp(join(tmpdir(), 'bank-'))
const file = join(folder, 'bank.perdure')
try {
  await tradeAll(file)
  await closeTheBooks(file)
} finally {
  await rm(folder, { recursive: true })
}

/** Opens the bank, and lets several clerks transfer money at the same time. */
async function tradeAll(path: string): Promise<void> {
  await using db = await open<Accounts>(path, { classes: [Account] })
  await db.transact((bank) => {
    for (const owner of OWNERS) {
      bank.set(owner, Object.assign(new Account(), { owner, balance: OPENING_BALANCE }))
    }
  })
  console.log(`${OWNERS.length} accounts hold ${OPENING_BALANCE} each.`)

  let left = TRANSFERS
  let refused = 0
  const clerks = Array.from({ length: CONCURRENT }, async () => {
    while (left-- > 0) if (!(await transferAtRandom(db))) refused++
  })
  await Promise.all(clerks)
  const { conflicts } = db.statistics
  console.log(`${CONCURRENT} clerks made ${TRANSFERS} transfers: ${refused} refused for lack of money.`)
  console.log(`${conflicts} times a clerk found that another had been faster, and began again.`)
}

/** @returns false if the payer had too little */
async function transferAtRandom(db: Database<Bank>): Promise<boolean> {
  const from = anyOf(OWNERS)
  const to = anyOf(OWNERS.filter((owner) => owner !== from))
  const amount = 1 + Math.floor(Math.random() * 50)
  try {
    // What the function changed before it threw is dropped, and the error comes out here.
    await db.transact((bank) => account(bank, from).transfer(amount, account(bank, to)), { retries: 50 })
    return true
  } catch (error) {
    if (error instanceof InsufficientFunds) return false
    throw error
  }
}

/** Opens the file again and adds up. */
async function closeTheBooks(path: string): Promise<void> {
  await using db = await open<Accounts>(path, { classes: [Account] })
  const total = await db.view((bank) => {
    let sum = 0
    for (const { owner, balance, history } of bank.values()) {
      console.log(`  ${owner.padEnd(8)} ${String(balance).padStart(4)} after ${history.length} transfers`)
      sum += balance
    }
    return sum
  })
  const expected = OWNERS.length * OPENING_BALANCE
  if (total !== expected) throw new Error(`The accounts hold ${total}, but ${expected} was paid in.`)
  console.log(`Opened again, they hold ${total} together: nothing was lost and nothing made up.`)
}

function account(bank: Bank, owner: string): Account {
  const found = bank.get(owner)
  if (found === undefined) throw new Error(`${owner} has no account.`)
  return found
}

function anyOf<T>(items: readonly T[]): T {
  return items[Math.floor(Math.random() * items.length)] as T
}
