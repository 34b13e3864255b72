import type { Database } from '../../src/core/database.js'
import { open } from '../../src/index.js'

/*
 * A process that opens temporary databases as its parent says, and answers each message when it is done.
 */

export type TemporaryOrder =
  /** Opens so many of a kind, and commits to each. The answer has their locations. */
  | { readonly open: number; readonly storage: string }
  /** Closes all. */
  | 'close'
  /** Ends without closing anything. */
  | 'exit'

const databases: Pick<Database, 'close'>[] = []
const warnings: string[] = []
process.on('warning', ({ message }) => warnings.push(message))

process.on('message', async (order: TemporaryOrder) => {
  if (order === 'exit') process.exit()
  const locations: string[] = []
  if (order === 'close') {
    for (const database of databases.splice(0)) await database.close()
  } else {
    for (let i = 0; i < order.open; i++) {
      const database = await open<{ value: number }>(undefined, { storage: order.storage })
      databases.push(database)
      await database.transact((root) => root.set('value', i))
      if ((await database.view((root) => root.get('value'))) !== i)
        throw new Error('It does not keep what it is given.')
      locations.push(database.storage.location)
    }
  }
  process.send?.({ locations, warnings })
})
