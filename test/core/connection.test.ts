import { expect } from 'chai'
import type { Connection } from '../../src/core/connection.js'
import type { Database } from '../../src/core/database.js'
import { ConflictError, PerdureError } from '../../src/core/errors.js'
import { oidOf, Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Node extends Persistent {
  value = 0
  next: Node | undefined

  constructor(value = 0) {
    super()
    this.value = value
  }
}

class Leaf extends Node {}

describe('Connection', () => {
  let db: Database<Root>
  let one: Connection<Root>
  let two: Connection<Root>

  beforeEach(async () => {
    db = await memoryDatabase([Node, Leaf])
    one = await db.connect()
    two = await db.connect()
    Object.assign(one.root, { a: new Node(1), b: new Node(2) })
    await one.commit()
  })

  afterEach(() => db.close())

  const node = (connection: Connection<Root>, name: string) => connection.root[name] as Node

  describe('identity', () => {
    it('gives one object for each oid', async () => {
      const a = node(one, 'a')
      expect(one.root['a']).to.equal(a)
      expect(one.get(oidOf(a) as number)).to.equal(a)
      a.next = a
      await one.commit()
      expect(node(two, 'a').next).to.equal(node(two, 'a'))
      expect(node(two, 'a')).to.not.equal(a)
    })

    it('knows no oid of an object that was not stored', () => {
      expect(oidOf(new Node())).to.equal(undefined)
      expect(oidOf(one.root)).to.equal(0)
      expect(one.get(12345)).to.equal(undefined)
    })
  })

  describe('commit', () => {
    it('stores new objects that can be reached, whatever the way', async () => {
      const chain = new Node(1)
      let last = chain
      for (let i = 2; i <= 1000; i++) {
        last.next = new Node(i)
        last = last.next
      }
      last.next = chain
      one.root['chain'] = chain
      await one.commit()
      let count = 0
      for (let n = node(two, 'chain'); count === 0 || n.value !== 1; n = n.next as Node) count++
      expect(count).to.equal(1000)
    })

    it('returns rising tids, and the snapshot’s without changes', async () => {
      node(one, 'a').value = 10
      const first = await one.commit()
      node(one, 'a').value = 11
      const second = await one.commit()
      expect(second).to.equal(first + 1)
      expect(one.tid).to.equal(second)
      expect(await one.commit()).to.equal(second)
    })

    it('captures the changes when it is called', async () => {
      const a = node(one, 'a')
      a.value = 10
      const committed = one.commit()
      const error = await failure('PERDURE_BUSY', () => {
        a.value = 11
      })
      expect(error.message).to.include('Node')
      await failure('PERDURE_BUSY', () => one.commit())
      await failure('PERDURE_BUSY', () => one.abort())
      expect(a.value, 'reading goes on').to.equal(10)
      await committed
      a.value = 12
      await one.commit()
      expect(node(two, 'a').value).to.equal(12)
    })

    it('keeps what it is storing in memory, however small the cache', async () => {
      one.cacheSize = 1
      const a = node(one, 'a')
      a.value = 10
      const committed = one.commit()
      expect(node(one, 'b').value).to.equal(2)
      expect(a.value).to.equal(10)
      await committed
      expect(a.value).to.equal(10)
      two.abort()
      node(two, 'a').value = 5
      a.value = 11
      await two.commit()
      const refused = one.commit()
      expect(node(one, 'b').value).to.equal(2)
      await failure('PERDURE_CONFLICT', () => refused)
      expect(a.value, 'changes are still there').to.equal(11)
    })

    it('stores nothing when something cannot be stored, and goes on when that is mended', async () => {
      const fresh = new Node(5)
      one.root['fresh'] = fresh
      Object.assign(node(one, 'a'), { value: 99, bad: () => 1 })
      const error = await failure('PERDURE_UNSTORABLE', () => one.commit())
      expect(error.message).to.include('root.a.bad')
      expect(oidOf(fresh)).to.equal(undefined)
      expect(node(two, 'a').value).to.equal(1)
      delete (node(one, 'a') as { bad?: unknown }).bad
      await one.commit()
      two.abort()
      expect(node(two, 'a').value).to.equal(99)
      expect(node(two, 'fresh').value).to.equal(5)
    })

    it('takes new objects of a commit that failed for new ones still', async () => {
      const [first, second] = [new Node(5), new Node(6)]
      first.next = second
      one.root['first'] = first
      const { commit } = db.storage
      db.storage.commit = async () => {
        throw new PerdureError('PERDURE_IO', 'The disk is gone.')
      }
      await failure('PERDURE_IO', () => one.commit())
      db.storage.commit = commit
      expect([oidOf(first), oidOf(second)]).to.deep.equal([undefined, undefined])
      delete one.root['first']
      one.root['second'] = second
      second.value = 7
      await one.commit()
      expect(oidOf(first)).to.equal(undefined)
      two.abort()
      expect(node(two, 'second').value).to.equal(7)
      two.root['first'] = first
      await failure('PERDURE_FOREIGN_OBJECT', () => two.commit())
    })

    it('refuses an object of another connection, with its path', async () => {
      one.root['foreign'] = [node(two, 'b')]
      const error = await failure('PERDURE_FOREIGN_OBJECT', () => one.commit())
      expect(error.message).to.include('root.foreign[0]')
    })
  })

  describe('abort', () => {
    it('restores every changed object', () => {
      const a = node(one, 'a')
      a.value = 50
      a.next = node(one, 'b')
      one.root['c'] = new Node(3)
      one.abort()
      expect(a.value).to.equal(1)
      expect(a.next).to.equal(undefined)
      expect('c' in one.root).to.equal(false)
    })

    it('leaves a new object as it was, to be stored later', async () => {
      const fresh = new Node(7)
      one.root['fresh'] = fresh
      await two.commit()
      node(two, 'a').value = 3
      node(one, 'a').value = 4
      await two.commit()
      await failure('PERDURE_CONFLICT', () => one.commit())
      one.abort()
      expect(oidOf(fresh)).to.equal(undefined)
      fresh.value++
      one.root['fresh'] = fresh
      await one.commit()
      two.abort()
      expect(node(two, 'fresh').value).to.equal(8)
      fresh.value++
      await one.commit()
      two.abort()
      expect(node(two, 'fresh').value).to.equal(9)
    })

    it('begins a new snapshot', async () => {
      expect(node(two, 'a').value).to.equal(1)
      node(one, 'a').value = 2
      await one.commit()
      expect(node(two, 'a').value).to.equal(1)
      two.abort()
      expect(node(two, 'a').value).to.equal(2)
    })
  })

  describe('isolation', () => {
    it('reads one snapshot, from the first access on', async () => {
      expect(node(two, 'a').value).to.equal(1)
      Object.assign(node(one, 'a'), { value: 10 })
      Object.assign(node(one, 'b'), { value: 20 })
      await one.commit()
      expect(node(two, 'b').value, 'loaded only now, but as of the snapshot').to.equal(2)
      await two.commit()
      expect([node(two, 'a').value, node(two, 'b').value]).to.deep.equal([10, 20])
    })

    it('sees what others committed while its own commit was under way', async () => {
      expect(node(two, 'b').value).to.equal(2)
      await two.commit()
      node(two, 'a').value = 5
      node(one, 'b').value = 6
      await Promise.all([one.commit(), two.commit()])
      expect(node(two, 'b').value).to.equal(6)
      expect(node(one, 'a').value).to.equal(5)
    })

    it('refuses a commit whose write was overtaken, naming oid, class and tid', async () => {
      node(two, 'a').value = 3
      node(one, 'a').value = 4
      const tid = await one.commit()
      const error = await failure('PERDURE_CONFLICT', () => two.commit())
      expect(error).to.be.instanceOf(ConflictError)
      const { conflicts } = error as ConflictError
      expect(conflicts).to.deep.equal([{ oid: oidOf(node(one, 'a')), className: 'Node', tid }])
      expect(two.statistics.conflicts).to.equal(1)
      two.abort()
      node(two, 'a').value++
      await two.commit()
      one.abort()
      expect(node(one, 'a').value).to.equal(5)
    })

    it('refuses a commit whose read was overtaken: no write skew', async () => {
      node(one, 'a').value = node(one, 'b').value + 10
      node(two, 'b').value = node(two, 'a').value + 10
      await one.commit()
      await failure('PERDURE_CONFLICT', () => two.commit())
    })

    it('refuses a commit that found an object missing which was stored meanwhile', async () => {
      const missing = (oidOf(node(one, 'b')) as number) + 1
      expect(two.get(missing)).to.equal(undefined)
      node(two, 'a').value = 3
      one.root['c'] = new Node(3)
      await one.commit()
      expect(oidOf(node(one, 'c'))).to.equal(missing)
      await failure('PERDURE_CONFLICT', () => two.commit())
      expect([-1, 0.5, Number.NaN, 2 ** 53].map((oid) => two.get(oid))).to.deep.equal(new Array(4).fill(undefined))
    })

    it('keeps what it committed even if the storage does not know what others changed', async () => {
      const { list } = Object.assign(node(one, 'a'), { list: [1] })
      node(two, 'b').value = 20
      await two.commit()
      db.storage.changes = () => undefined
      await one.commit()
      list.push(2)
      expect(node(one, 'b').value).to.equal(20)
      await one.commit()
      two.abort()
      expect(node(two, 'a')).to.deep.include({ list: [1, 2] })
    })

    it('allows write skew, and only that, under snapshot isolation', async () => {
      const loose = await db.connect({ isolation: 'snapshot' })
      node(one, 'a').value = node(one, 'b').value + 10
      node(loose, 'b').value = node(loose, 'a').value + 10
      await one.commit()
      await loose.commit()
      expect([node(loose, 'a').value, node(loose, 'b').value]).to.deep.equal([12, 11])
      node(one, 'a').value = 1
      node(loose, 'a').value = 2
      await one.commit()
      await failure('PERDURE_CONFLICT', () => loose.commit())
    })

    it('never refuses a transaction that only read', async () => {
      expect(node(two, 'a').value).to.equal(1)
      node(one, 'a').value = 2
      await one.commit()
      await two.commit()
      expect(node(two, 'a').value).to.equal(2)
    })

    it('does not conflict over different objects', async () => {
      node(one, 'a').value = 10
      node(two, 'b').value = 20
      await Promise.all([one.commit(), two.commit()])
      one.abort()
      expect([node(one, 'a').value, node(one, 'b').value]).to.deep.equal([10, 20])
    })
  })

  describe('loading ahead', () => {
    beforeEach(async () => {
      let next: Node | undefined
      for (let i = 300; i > 0; i--) next = Object.assign(i % 3 === 0 ? new Leaf(i) : new Node(i), { next })
      one.root['chain'] = next
      await one.commit()
    })

    it('crawls every reachable object once', async () => {
      const seen = new Set<Persistent>()
      for await (const object of two.crawl()) seen.add(object)
      expect(seen.size).to.equal(303)
      const { loads } = two.statistics
      for (let n = node(two, 'chain'); n.next !== undefined; n = n.next);
      expect(two.statistics.loads, 'all were loaded').to.equal(loads)
    })

    it('crawls from where it is told', async () => {
      let count = 0
      for await (const object of two.crawl([node(two, 'a')])) count += object === node(two, 'a') ? 1 : 100
      expect(count).to.equal(1)
    })

    it('ends a crawl with an error when its transaction ends', async () => {
      const crawl = two.crawl()
      await crawl.next()
      two.abort()
      await failure('PERDURE_STALE', async () => {
        for await (const object of crawl) void object
      })
    })

    it('ends a crawl in the middle of what it loaded ahead, too', async () => {
      const crawl = two.crawl()
      for (let i = 0; i < 2; i++) await crawl.next()
      node(one, 'b').value = 20
      await one.commit()
      two.abort()
      expect(two.root).to.be.instanceOf(Object)
      await failure('PERDURE_STALE', () => crawl.next())
      expect(node(two, 'b').value).to.equal(20)
    })

    it('drops what was prefetched in a transaction that has ended', async () => {
      const a = node(two, 'a')
      node(one, 'a').value = 10
      await one.commit()
      const prefetched = two.prefetch([a])
      two.abort()
      expect(node(two, 'b').value).to.equal(2)
      expect(await prefetched).to.equal(0)
      expect(a.value).to.equal(10)
    })

    it('finds instances of a class and of its subclasses', async () => {
      const leaves: number[] = []
      for await (const leaf of two.instancesOf(Leaf)) leaves.push(leaf.value)
      expect(leaves).to.have.length(100)
      let nodes = 0
      for await (const each of two.instancesOf(Node)) nodes += each instanceof Node ? 1 : 0
      expect(nodes).to.equal(302)
    })

    it('prefetches objects, to a depth, or a path', async () => {
      const chain = node(two, 'chain')
      expect(await two.prefetch([chain])).to.equal(1)
      expect(await two.prefetch([chain], { depth: 9 })).to.equal(9)
      const { loads } = two.statistics
      let last = chain
      for (let i = 0; i < 9; i++) last = last.next as Node
      expect(two.statistics.loads).to.equal(loads)
      expect(await two.prefetch('/a')).to.equal(1)
      expect(await two.prefetch('/chain/next/next')).to.equal(0)
      await failure('PERDURE_NOT_FOUND', () => two.prefetch('/a/nowhere'))
      await failure('PERDURE_ARGUMENT', () => two.prefetch([node(one, 'a')]))
    })

    it('does not count what was only prefetched as read', async () => {
      await two.prefetch([node(two, 'a'), node(two, 'b')])
      node(two, 'chain').value = 77
      node(one, 'a').value = 10
      await one.commit()
      await two.commit()
    })
  })

  describe('options', () => {
    it('are checked, since a misspelled isolation would be a weaker one', async () => {
      for (const isolation of ['serialisable', ''] as never[]) {
        await failure('PERDURE_ARGUMENT', () => db.connect({ isolation }))
      }
      for (const cacheSize of [0, -1, 1.5, Number.NaN]) {
        await failure('PERDURE_ARGUMENT', () => db.connect({ cacheSize }))
        await failure('PERDURE_ARGUMENT', () => Object.assign(one, { cacheSize }))
      }
    })
  })

  describe('readonly', () => {
    it('refuses changes', async () => {
      const reader = await db.connect({ readonly: true })
      const error = await failure('PERDURE_READONLY', () => {
        node(reader, 'a').value = 2
      })
      expect(error.message).to.include('Node')
      expect(node(reader, 'a').value).to.equal(1)
    })
  })

  describe('close', () => {
    it('of the storage while a commit is under way does not make it look as if it had failed', async () => {
      const mine = node(one, 'a')
      mine.value = 10
      node(two, 'b').value = 20
      await two.commit()
      const committing = one.commit()
      const closing = db.storage.close()
      expect(await committing).to.equal(4)
      await closing
    })

    it('drops changes and refuses everything after', async () => {
      const a = node(one, 'a')
      a.value = 9
      await one.close()
      await one.close()
      expect(() => one.root).to.throw('has been closed')
      await failure('PERDURE_CLOSED', () => a.value)
      await failure('PERDURE_CLOSED', () => one.commit())
      await failure('PERDURE_CLOSED', () => one.abort())
      expect(node(two, 'a').value).to.equal(1)
    })

    it('waits for the commit under way', async () => {
      node(one, 'a').value = 9
      const committed = one.commit()
      await one.close()
      await committed
      two.abort()
      expect(node(two, 'a').value).to.equal(9)
    })

    it('waits for no commit that begins after it was called', async () => {
      node(one, 'a').value = 7
      const closed = one.close()
      await failure('PERDURE_CLOSED', () => one.commit())
      await closed
      expect(node(two, 'a').value).to.equal(1)
      const three = await db.connect()
      node(three, 'a').value = 8
      const committed = three.commit()
      const closing = db.close()
      await failure('PERDURE_CLOSED', () => committed.then(() => three.commit()))
      await closing
    })

    it('is done by await using', async () => {
      let held: Connection<Root>
      {
        await using connection = await db.connect()
        held = connection
        expect(node(connection, 'a').value).to.equal(1)
      }
      await failure('PERDURE_CLOSED', () => held.root)
    })
  })
})
