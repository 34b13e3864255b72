import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import { type Authenticator, anonymous } from '../../src/server/authentication.js'
import { encodeClientMessage } from '../../src/server/protocol/message-frames.js'
import { DEFAULT_LIMITS, PREFACE, STREAM_WINDOW } from '../../src/server/protocol/messages.js'
import { TurnLimit } from '../../src/server/turn-limit.js'
import { write } from '../../src/testing/suite-context.js'
import { CountingStorage } from '../support/counting-storage.js'
import { SessionBench, turn } from '../support/fake-transport.js'

const MIB = 1024 * 1024

describe('Session', () => {
  let storage: CountingStorage

  beforeEach(() => {
    storage = new CountingStorage()
  })

  afterEach(async () => {
    // A session that has just ended may have a snapshot on its way.
    for (let i = 0; i < 100 && storage.openSnapshots > 0; i++) await turn()
    expect(storage.openSnapshots).to.equal(0)
    await storage.close()
  })

  async function fill(objects: number, bytes: number): Promise<void> {
    const writes = Array.from({ length: objects }, (_, oid) => write(oid, 'x'.repeat(bytes)))
    await storage.commit({ base: 0, reads: [], writes })
  }

  it('reads nothing more from a client that does not take its answers', async () => {
    await fill(1, MIB)
    const bench = await new SessionBench(storage).letIn()
    bench.send(1, { type: 'snapshot' })
    await turn()
    bench.transport.isOpen = false
    const load = { type: 'load', snapshot: 1, oid: 0, aheadRecords: 0, aheadBytes: 0 } as const
    bench.session.receive(Buffer.concat(Array.from({ length: 100 }, (_, i) => encodeClientMessage(i + 2, load))))
    await turn()
    expect(bench.transport.isPaused).to.equal(true)
    expect(bench.transport.mostQueuedBytes).to.be.within(4 * MIB, 6 * MIB)
    for (let i = 0; i < 40; i++) {
      bench.drain()
      await turn()
    }
    expect(bench.transport.mostQueuedBytes).to.be.below(6 * MIB)
    expect(bench.transport.isPaused).to.equal(false)
    for (let i = 0; i < 100; i++) expect(bench.typesFor(i + 2)).to.deep.equal(['recordsPart', 'done'])
    bench.session.ended()
  })

  it('makes no more parts of streams than a slow client takes, however many it asks for', async () => {
    await fill(100, MIB / 4)
    const bench = await new SessionBench(storage).letIn()
    bench.send(1, { type: 'snapshot' })
    await turn()
    bench.transport.isOpen = false
    for (let id = 2; id < 62; id++) bench.send(id, { type: 'records', snapshot: 1 })
    for (let i = 0; i < 50; i++) await turn()
    expect(bench.transport.mostQueuedBytes).to.be.within(4 * MIB, 10 * MIB)
    for (let i = 0; i < 200; i++) {
      bench.drain()
      for (let j = 0; j < 10; j++) await turn()
    }
    expect(bench.transport.mostQueuedBytes).to.be.below(10 * MIB)
    for (let id = 2; id < 62; id++) expect(bench.typesFor(id)).to.have.length(STREAM_WINDOW)
    bench.session.ended()
  })

  it('sends as many parts of a stream as the client allows, and ends one that is cancelled', async () => {
    await fill(40, MIB / 4)
    const bench = await new SessionBench(storage).letIn()
    bench.send(1, { type: 'snapshot' })
    bench.send(2, { type: 'records', snapshot: 1 })
    bench.send(3, { type: 'records', snapshot: 1 })
    const arrived = async () => {
      for (let i = 0; i < 50; i++) await turn()
      return bench.typesFor(2).length
    }
    expect(await arrived()).to.equal(STREAM_WINDOW)
    bench.send(0, { type: 'credit', request: 2, parts: 3 })
    expect(await arrived()).to.equal(STREAM_WINDOW + 3)
    bench.send(0, { type: 'credit', request: 2, parts: 1000 })
    expect(await arrived()).to.equal(41)
    expect(bench.typesFor(2).at(-1)).to.equal('done')
    bench.send(0, { type: 'cancel', request: 3 })
    await arrived()
    expect(bench.typesFor(3)).to.have.length(STREAM_WINDOW + 1)
    expect(bench.typesFor(3).at(-1)).to.equal('done')
    bench.session.ended()
  })

  it('lets others have their turn in the middle of a stream', async () => {
    const objects = 1000
    await fill(objects, 10)
    const turnsFor = async (limitMs: number) => {
      const turns = new TurnLimit(limitMs)
      const bench = await new SessionBench(storage, anonymous('reader'), DEFAULT_LIMITS, turns).letIn()
      bench.send(1, { type: 'snapshot' })
      bench.send(2, { type: 'loadMany', snapshot: 1, oids: Array.from({ length: objects }, (_, oid) => oid) })
      let count = 0
      for (; bench.typesFor(2).at(-1) !== 'done'; count++) await turn()
      expect(bench.typesFor(2)).to.deep.equal(['recordsPart', 'done'])
      bench.session.ended()
      return count
    }
    expect(await turnsFor(Number.POSITIVE_INFINITY)).to.be.below(4)
    // No piece of work follows another one in the same turn.
    expect(await turnsFor(-1)).to.be.greaterThan(5)
  })

  it('tells a client that does not read of no changes', async () => {
    const bench = await new SessionBench(storage).letIn()
    bench.send(1, { type: 'snapshot' })
    await turn()
    await fill(3, 10)
    bench.transport.isOpen = false
    expect(bench.session.tick(1)).to.equal(true)
    await turn()
    const queued = bench.transport.queuedBytes
    await storage.commit({ base: 1, reads: [], writes: [write(1, 'y')] })
    for (let i = 0; i < 10; i++) expect(bench.session.tick(2)).to.equal(false)
    expect(bench.transport.queuedBytes).to.equal(queued)
    bench.drain()
    expect(bench.session.tick(2)).to.equal(true)
    expect(bench.session.tick(2)).to.equal(false)
    await turn()
    bench.drain()
    const notices = bench.transport.received.filter(({ request }) => request === 0).map(({ message }) => message)
    expect(notices).to.deep.equal([
      { type: 'changed', after: 0, upTo: 1, oids: [0, 1, 2] },
      { type: 'changed', after: 1, upTo: 2, oids: [1] },
    ])
    bench.session.ended()
  })

  it('gives up a client that takes nothing for long', async () => {
    const bench = await new SessionBench(storage).letIn()
    bench.transport.isOpen = false
    bench.send(1, { type: 'ping' })
    await turn()
    for (let i = 0; i < 200; i++) bench.session.tick(undefined)
    expect(bench.transport.isClosed).to.equal(true)
    expect(bench.errors[0]).to.include({ code: 'PERDURE_TIMEOUT' })
    bench.session.ended()
  })

  it('lets others have their turn while it answers a long queue', async () => {
    await fill(1, 10)
    // One frame, and it has had its turn.
    const bench = await new SessionBench(storage, anonymous('admin'), DEFAULT_LIMITS, new TurnLimit(-1)).letIn()
    const load = { type: 'load', snapshot: 1, oid: 0, aheadRecords: 0, aheadBytes: 0 } as const
    const frames = Array.from({ length: 100 }, (_, i) => encodeClientMessage(i + 2, load))
    bench.session.receive(Buffer.concat([encodeClientMessage(1, { type: 'snapshot' }), ...frames]))
    let turns = 0
    for (; bench.typesFor(101).at(-1) !== 'done'; turns++) {
      expect(bench.transport.isPaused).to.equal(true)
      await turn()
    }
    expect(turns).to.be.within(100, 110)
    expect(bench.typesFor(101)).to.deep.equal(['recordsPart', 'done'])
    bench.session.ended()
  })

  it('closes on a frame that makes no sense, and says why', async () => {
    const bench = await new SessionBench(storage).letIn()
    bench.send(1, { type: 'snapshot' })
    bench.session.receive(Buffer.from([6, 0, 0, 0, 0x99, 1, 0, 0, 0, 0]))
    await turn()
    expect(bench.transport.isClosed).to.equal(true)
    expect(bench.errors[0]).to.include({ code: 'PERDURE_PROTOCOL' })
    const { message } = bench.transport.received.at(-1) ?? {}
    expect(message?.type === 'closing' && message.error).to.include({ code: 'PERDURE_PROTOCOL', stack: '' })
    expect(storage.openSnapshots).to.equal(0)
    bench.send(2, { type: 'snapshot' })
    expect(storage.openSnapshots).to.equal(0)
  })

  it('takes no long frame, and no request, from a stranger', async () => {
    const bench = new SessionBench(storage)
    bench.session.receive(PREFACE)
    bench.session.receive(Buffer.from([1, 0, 1, 0]))
    expect(bench.errors[0]).to.include({ code: 'PERDURE_PROTOCOL' })
    const other = new SessionBench(storage)
    other.session.receive(Buffer.concat([PREFACE, encodeClientMessage(1, { type: 'snapshot' })]))
    await turn()
    expect(other.errors[0]).to.include({ code: 'PERDURE_PROTOCOL' })
    expect(other.isWelcome).to.equal(false)
  })

  it('reads nothing more from a client whose commits under way are many bytes', async () => {
    const bench = await new SessionBench(storage).letIn()
    const waiting: (() => void)[] = []
    storage.commit = () => new Promise((resolve) => waiting.push(() => resolve({ tid: 0 })))
    const writes = [write(0, 'x'.repeat(8 * MIB))]
    for (let id = 1; id <= 20; id++) {
      const token = Buffer.alloc(16, id)
      bench.send(id, { type: 'commit', base: 0, token, note: '', user: '', reads: [], writes })
    }
    expect(bench.transport.isPaused).to.equal(true)
    expect(waiting).to.have.length(8)
    while (waiting.length > 0) {
      waiting.shift()?.()
      await turn()
      expect(waiting.length).to.be.at.most(8)
    }
    for (let id = 1; id <= 20; id++) expect(bench.typesFor(id).at(-1)).to.equal('committed')
    expect(bench.transport.isPaused).to.equal(false)
    bench.session.ended()
  })

  it('counts what its commits have read, and how many objects they write, as bytes too', async () => {
    const token = Buffer.alloc(16, 1)
    const reads = Array.from({ length: 5_000_000 }, () => 0)
    const writes = Array.from({ length: 200_000 }, (_, oid) => ({ oid, data: new Uint8Array() }))
    for (const many of [
      { reads, writes: [] },
      { reads: [], writes },
    ]) {
      const bench = await new SessionBench(storage).letIn()
      let underWay = 0
      storage.commit = () => {
        underWay++
        return new Promise(() => {})
      }
      for (let id = 1; id <= 4; id++) {
        token[0] = id
        bench.send(id, { type: 'commit', base: 0, token: Buffer.from(token), note: '', user: '', ...many })
      }
      await turn()
      expect(bench.transport.isPaused).to.equal(true)
      expect(underWay).to.equal(2)
      bench.session.ended()
    }
  })

  it('keeps no more oids for a client than it may ask for at a time', async () => {
    await fill(1, 100)
    const bench = await new SessionBench(storage).letIn()
    bench.send(1, { type: 'snapshot' })
    await turn()
    bench.transport.isOpen = false
    const oids = Array.from({ length: 65_536 }, () => 0)
    const ids = Array.from({ length: 20 }, (_, i) => i + 2)
    for (const id of ids) bench.send(id, { type: 'loadMany', snapshot: 1, oids })
    const drain = async () => {
      for (let i = 0; i < 400; i++) {
        bench.drain()
        await turn()
      }
    }
    await drain()
    expect(ids.filter((id) => bench.typesFor(id).at(-1) === 'error')).to.deep.equal([18, 19, 20, 21])
    for (const id of ids.slice(0, 16)) bench.send(0, { type: 'cancel', request: id })
    await drain()
    bench.send(30, { type: 'loadMany', snapshot: 1, oids: [0] })
    await drain()
    expect(bench.typesFor(30), 'there is room again').to.deep.equal(['recordsPart', 'done'])
    bench.session.ended()
  })

  it('names as many conflicts as there is room for in a frame', async () => {
    const limits = { ...DEFAULT_LIMITS, frameBytes: 65_536 }
    const bench = await new SessionBench(storage, undefined, limits).letIn()
    const className = 'SomethingWithALongName'.repeat(10)
    const conflicts = Array.from({ length: 1000 }, (_, oid) => ({ oid, tid: 7, className }))
    storage.commit = async () => ({ conflicts })
    const token = Buffer.alloc(16, 1)
    bench.send(2, { type: 'commit', base: 0, token, note: '', user: '', reads: [1], writes: [] })
    await turn()
    const reply = bench.transport.received.at(-1)?.message
    if (reply?.type !== 'conflicts') throw new Error(`expected conflicts, but it is ${reply?.type}`)
    expect(reply.conflicts).to.have.length.within(200, 999)
    expect(reply.conflicts).to.deep.equal(conflicts.slice(0, reply.conflicts.length))
    bench.session.ended()
  })

  it('closes when a request has the id of another one under way', async () => {
    const bench = await new SessionBench(storage).letIn()
    storage.onPack = () => new Promise(() => {})
    bench.send(7, { type: 'pack', keepOld: false })
    bench.send(7, { type: 'ping' })
    await turn()
    expect(bench.errors[0]).to.include({ code: 'PERDURE_PROTOCOL' })
  })

  it('gives up a snapshot that is ready only when its client is gone', async () => {
    const bench = await new SessionBench(storage).letIn()
    bench.send(1, { type: 'snapshot', at: { tid: 0 } })
    bench.session.ended()
    expect(storage.openSnapshots).to.equal(0)
    for (let i = 0; i < 3; i++) await turn()
  })

  it('takes the messages of an exchange one after the other', async () => {
    const steps: string[] = []
    const slow: Authenticator = {
      ...password(''),
      begin: () => ({
        step: async (data) => {
          const text = Buffer.from(data).toString()
          steps.push(`${text} begins`)
          await turn()
          steps.push(`${text} ends`)
          return text === 'b' ? { user: 'ada', role: 'reader' } : { challenge: Buffer.alloc(0) }
        },
      }),
    }
    const bench = await new SessionBench(storage, slow).letIn()
    const messages = ['a', 'b'].map((text) => ({
      type: 'authenticate' as const,
      mechanism: 'WORD',
      data: Buffer.from(text),
    }))
    bench.session.receive(Buffer.concat(messages.map((message, i) => encodeClientMessage(i + 2, message))))
    for (let i = 0; i < 5; i++) await turn()
    expect(steps).to.deep.equal(['a begins', 'a ends', 'b begins', 'b ends'])
    expect(bench.isWelcome).to.equal(true)
    bench.session.ended()
  })

  it('lets in who passes the exchange, under the name found out', async () => {
    const bench = new SessionBench(storage, password('sesame'))
    await bench.letIn()
    expect(bench.transport.received.map(({ message }) => message)).to.deep.equal([
      { type: 'challenge', mechanisms: ['WORD'], data: Buffer.alloc(0) },
    ])
    bench.send(2, { type: 'authenticate', mechanism: 'WORD', data: Buffer.from('hello') })
    await turn()
    bench.send(3, { type: 'authenticate', mechanism: '', data: Buffer.from('sesame') })
    await turn()
    expect(bench.isWelcome).to.equal(false)
    bench.send(4, { type: 'authenticate', mechanism: '', data: Buffer.alloc(0) })
    await turn()
    expect([2, 3, 4].map((id) => bench.typesFor(id))).to.deep.equal([['challenge'], ['challenge'], ['welcome']])
    bench.session.ended()
  })

  it('does not let in who fails, and tells a stranger nothing', async () => {
    for (const [mechanism, word] of [
      ['WORD', 'wrong'],
      ['OTHER', 'sesame'],
    ] as const) {
      const bench = new SessionBench(storage, password('sesame'))
      await bench.letIn()
      bench.send(2, { type: 'authenticate', mechanism, data: Buffer.from('hello') })
      await turn()
      bench.send(3, { type: 'authenticate', mechanism, data: Buffer.from(word) })
      await turn()
      expect(bench.isWelcome).to.equal(false)
      expect(bench.transport.isClosed).to.equal(true)
      const { message } = bench.transport.received.at(-1) ?? {}
      if (message?.type !== 'closing') throw new Error('it must be told')
      expect(message.error.code).to.equal('PERDURE_AUTHENTICATION')
      expect(JSON.stringify(message.error)).not.to.contain('secret')
    }
  })

  it('commits under the name found out, whatever the client says', async () => {
    const users: (string | undefined)[] = []
    const commit = storage.commit.bind(storage)
    storage.commit = (request) => {
      users.push(request.user)
      return commit(request)
    }
    const named = { ...password(''), identify: () => ({ user: 'ada', role: 'writer' as const }) }
    for (const authenticator of [named, undefined]) {
      const bench = await new SessionBench(storage, authenticator, DEFAULT_LIMITS).letIn()
      const token = Buffer.alloc(16, users.length)
      bench.send(1, { type: 'commit', base: 0, token, note: '', user: 'eve', reads: [], writes: [] })
      await turn()
      bench.session.ended()
    }
    expect(users).to.deep.equal(['ada', 'eve'])
  })
})

/** Asks for a greeting and a word. */
function password(word: string): Authenticator {
  return {
    mechanisms: () => ['WORD'],
    identify: () => undefined,
    begin: () => {
      let messages = 0
      return {
        step: async (data) => {
          if (messages++ === 0) return { challenge: Buffer.from('the word?') }
          if (Buffer.from(data).toString() === word)
            return { user: 'ada', role: 'writer', data: Buffer.from('welcome') }
          throw new PerdureError('PERDURE_AUTHENTICATION', 'No.', { cause: new Error('a secret reason') })
        },
      }
    },
  }
}
