import { Account, FieldAccount, PlainAccount } from '../../dist/bench/accounts.js'
import { open } from '../../dist/src/index.js'
import { accountFields, checkTotal } from '../records.mjs'
import { median, secondsOf } from '../statistics.mjs'

const CLASSES = { 'plain object': PlainAccount, '@field accessor': FieldAccount, 'Proxy (default)': Account }
const OBJECTS = 1000
const PASSES = 1000
const REPEATS = 7

export const fieldRead = {
  title: 'Reading a field of an object in memory',
  unit: 'ns',
  peers: Object.keys(CLASSES),
  needs: () => undefined,

  async measure({ peer, path }) {
    const Class = CLASSES[peer]
    const accounts = Array.from({ length: OBJECTS }, (_, i) => Object.assign(new Class(), accountFields(i)))
    const db = Class === PlainAccount ? undefined : await storeAll(path, Class, accounts)
    const times = []
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      let total = 0
      const seconds = await secondsOf(() => {
        for (let pass = 0; pass < PASSES; pass++) total = sum(accounts)
      })
      checkTotal(total, OBJECTS)
      times.push((seconds * 1e9) / (OBJECTS * PASSES))
    }
    await db?.close()
    return median(times)
  },
}

async function storeAll(path, Class, accounts) {
  const db = await open(path, { classes: [Class] })
  const connection = await db.connect()
  connection.root.set('accounts', accounts)
  await connection.commit()
  return db
}

function sum(accounts) {
  let total = 0
  for (let i = 0; i < accounts.length; i++) total += accounts[i].balance
  return total
}
