import { type Database, open, Persistent, PersistentMap, type Root } from '../../src/index.js'

/* Compiled, never run: `tsc -b` fails if a line marked as an error is none, or another one is. */

class Account extends Persistent {
  balance = 0
}

interface Entries {
  accounts: PersistentMap<string, Account>
  version: number
}

export async function typedRoot(): Promise<void> {
  await using db: Database<Root<Entries>> = await open<Entries>('types.perdure', { classes: [Account] })
  await db.transact((root) => {
    root.set('version', 1)
    root.set('accounts', new PersistentMap<string, Account>())
    // @ts-expect-error a version is a number
    root.set('version', 'one')
    // @ts-expect-error there is no such entry
    root.set('verison', 1)
    // @ts-expect-error there is no such entry
    root.get('verison')

    const version: number | undefined = root.get('version')
    const accounts: PersistentMap<string, Account> | undefined = root.get('accounts')
    // @ts-expect-error it may not be there
    root.get('accounts').get('ada')
    // @ts-expect-error accounts hold accounts
    accounts?.set('ada', 5)
    return [version, accounts]
  })
  const result: string = await db.transact(async () => 'text')
  // @ts-expect-error transact returns what the function returns
  const wrong: number = await db.view(() => result)
  await using connection = await db.connect()
  const balance: number | undefined = connection.root.get('accounts')?.get('ada')?.balance
  for await (const account of connection.instancesOf(Account)) account.balance += balance ?? wrong
}

export async function untypedRoot(): Promise<void> {
  await using db = await open()
  await db.transact((root) => {
    root.set('anything', 1)
    const value: unknown = root.get('anything')
    // @ts-expect-error what comes out of an untyped root must be narrowed
    value.length
  })
  // @ts-expect-error an option that does not exist
  await open('x', { serialiser: 'cbor' })
  // @ts-expect-error there is no such durability
  await open('x', { durability: 'maybe' })
}
