import { expect } from 'chai'
import type { Database } from '../../src/core/database.js'
import { ConflictError } from '../../src/core/errors.js'
import { Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Counter extends Persistent {
  count = 0
}

describe('Database', () => {
  let db: Database<Root>

  beforeEach(async () => {
    db = await memoryDatabase([Counter])
    await db.transact((root) => {
      root['counter'] = new Counter()
    })
  })

  afterEach(() => db.close())

  const counter = (root: Root) => root['counter'] as Counter

  it('commits what the function did and returns its result', async () => {
    const result = await db.transact(async (root) => {
      await Promise.resolve()
      counter(root).count = 5
      return 'done'
    })
    expect(result).to.equal('done')
    expect(await db.view((root) => counter(root).count)).to.equal(5)
  })

  it('stores nothing when the function throws', async () => {
    const mine = new Error('mine')
    const caught = await db
      .transact((root) => {
        counter(root).count = 5
        throw mine
      })
      .catch((error: unknown) => error)
    expect(caught).to.equal(mine)
    expect(await db.view((root) => counter(root).count)).to.equal(0)
  })

  it('begins anew each time, whatever was done with an object that got out', async () => {
    const out = await db.transact(counter)
    await db.view((_root, connection) => connection.close())
    expect(out.count).to.equal(0)
    const other = await db.connect()
    counter(other.root).count = 1
    await other.commit()
    expect(await db.transact((root) => counter(root).count)).to.equal(1)
    out.count = 99
    await db.transact((root) => {
      root['more'] = true
    })
    expect(await db.view((root) => counter(root).count)).to.equal(1)
  })

  it('throws what the function threw even if that left a commit under way', async () => {
    const mine = new Error('mine')
    const caught = await db
      .transact((root, connection) => {
        counter(root).count = 5
        void connection.commit()
        throw mine
      })
      .catch((error: unknown) => error)
    expect(caught).to.equal(mine)
    expect(await db.transact((root) => counter(root).count)).to.equal(5)
  })

  it('runs again after a conflict, so that no update is lost', async () => {
    let runs = 0
    await Promise.all(
      Array.from({ length: 30 }, () =>
        db.transact(
          async (root) => {
            runs++
            const before = counter(root).count
            await Promise.resolve()
            counter(root).count = before + 1
          },
          { retries: 100 },
        ),
      ),
    )
    expect(await db.view((root) => counter(root).count)).to.equal(30)
    expect(runs).to.be.greaterThan(30)
  })

  it('gives up after the retries asked for', async () => {
    let runs = 0
    const error = await failure('PERDURE_CONFLICT', () =>
      db.transact(
        async (root) => {
          runs++
          counter(root).count++
          await db.transact((other) => {
            counter(other).count++
          })
        },
        { retries: 2 },
      ),
    )
    expect(error).to.be.instanceOf(ConflictError)
    expect(runs).to.equal(3)
  })

  it('does not run again what has committed a part itself, which would be stored twice', async () => {
    let runs = 0
    await failure('PERDURE_CONFLICT', () =>
      db.transact(async (root, connection) => {
        runs++
        counter(root).count += 100
        await connection.commit()
        counter(root).count++
        await db.transact((other) => {
          counter(other).count++
        })
      }),
    )
    expect(runs).to.equal(1)
    expect(await db.view((root) => counter(root).count)).to.equal(101)
  })

  it('gives functions that run side by side connections of their own', async () => {
    const connections = new Set<unknown>()
    await Promise.all(
      Array.from({ length: 5 }, () =>
        db.view(async (_root, connection) => {
          connections.add(connection)
          await new Promise((resolve) => setImmediate(resolve))
        }),
      ),
    )
    expect(connections.size).to.equal(5)
    await db.view((_root, connection) => expect(connections.has(connection)).to.equal(true))
  })

  it('refuses changes in a view, which sees one snapshot', async () => {
    await failure('PERDURE_READONLY', () =>
      db.view((root) => {
        counter(root).count = 1
      }),
    )
    await db.view(async (root) => {
      expect(counter(root).count).to.equal(0)
      await db.transact((other) => {
        counter(other).count = 1
      })
      expect(counter(root).count).to.equal(0)
    })
  })

  it('leaves nothing of a failed transaction on a pooled connection', async () => {
    await db
      .transact((root) => {
        root['leftover'] = 1
        throw new Error('no')
      })
      .catch(() => undefined)
    await db.transact((root) => expect('leftover' in root).to.equal(false))
  })

  it('packs, if the storage can', async () => {
    await db.transact((root) => {
      delete root['counter']
    })
    const { objectsBefore, objectsAfter } = await db.pack()
    expect([objectsBefore, objectsAfter]).to.deep.equal([2, 1])
  })

  it('keeps the root of a database that has one', async () => {
    const again = await memoryDatabase([Counter], {}, db.storage)
    expect(await again.view((root) => counter(root).count)).to.equal(0)
    expect(db.statistics.commits).to.equal(2)
  })

  it('closes once, with its connections, and refuses everything after', async () => {
    const connection = await db.connect()
    await Promise.all([db.close(), db.close()])
    await failure('PERDURE_CLOSED', () => connection.root)
    await failure('PERDURE_CLOSED', () => db.connect())
    await failure('PERDURE_CLOSED', () => db.transact(() => undefined))
    await failure('PERDURE_CLOSED', () => db.pack())
  })
})
