import { expect } from 'chai'
import { ROOT_OID, type Tid } from '../../src/core/oid.js'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { ClientStorage } from '../../src/storages/client.js'
import { Detour, type Direction, type Fate } from '../support/detour.js'
import { type RunningServer, Servers } from '../support/servers.js'

/** At least, of a commit of one record of a certain length, and its answer. */
const FEWEST_BYTES = { up: 40, down: 20 }

describe('A commit whose connection is cut', () => {
  let servers: Servers
  let server: RunningServer
  let detour: Detour
  /** Reaches the server by way of the detour, which is in this thread: nothing synchronous may be asked of it. */
  let storage: ClientStorage
  /** Sees what the server has. */
  let witness: ClientStorage
  let tid: Tid

  before(async () => {
    servers = new Servers()
    server = await servers.serve({ databaseId: 'the same' })
    detour = await Detour.start(server.url)
    storage = await ClientStorage.connect(detour.url)
    witness = await ClientStorage.connect(server.url)
    tid = 0
  })

  after(async () => {
    await storage.close()
    await witness.close()
    await detour.close()
    await servers.kill()
  })

  function stored(): { tid: Tid; text: string } {
    const snapshot = witness.snapshot()
    const record = snapshot.load(ROOT_OID)
    snapshot.release()
    return { tid: snapshot.tid, text: record ? Buffer.from(decodeRecord(record.data).state).toString().trim() : '' }
  }

  async function commit(text: string): Promise<Tid> {
    const data = encodeRecord('Text', [], Buffer.from(text.padEnd(20)))
    const result = await storage.commit({ base: tid, reads: [], writes: [{ oid: ROOT_OID, data }] })
    return result.tid as Tid
  }

  /** Commits, and holds what is reported against what the server has. Says what was reported. */
  async function commitAndCheck(text: string): Promise<'stored' | 'not stored'> {
    const before = stored()
    try {
      expect(await commit(text)).to.equal(before.tid + 1)
    } catch (error) {
      expect((error as { code: string }).code, String(error)).to.equal('PERDURE_DISCONNECTED')
      expect(stored(), `${text} was reported as not stored`).to.deep.equal(before)
      return 'not stored'
    }
    expect(stored(), `${text} was reported as stored`).to.deep.equal({ tid: before.tid + 1, text })
    tid = before.tid + 1
    return 'stored'
  }

  /** Makes a connection if there is none, without blocking. */
  async function connect(): Promise<void> {
    await storage.pack()
  }

  /** How many bytes a commit sends and is answered with. */
  async function measure(): Promise<Record<Direction, number>> {
    await connect()
    const before = { ...detour.passed }
    expect(await commitAndCheck('measured')).to.equal('stored')
    const bytes = { up: detour.passed.up - before.up, down: detour.passed.down - before.down }
    expect(bytes.up).to.be.at.least(FEWEST_BYTES.up)
    expect(bytes.down).to.be.at.least(FEWEST_BYTES.down)
    return bytes
  }

  it('on the way there, at any byte, is not stored, or reported as stored', async () => {
    const { up } = await measure()
    for (let bytes = 0; bytes <= up; bytes++) {
      await connect()
      detour.doom({ direction: 'up', bytes })
      expect(await commitAndCheck(`up ${bytes}`)).to.equal(bytes < up ? 'not stored' : 'stored')
    }
  })

  it('on the way back, at any byte, is reported as stored', async () => {
    const { down } = await measure()
    for (let bytes = 0; bytes <= down; bytes++) {
      await connect()
      detour.doom({ direction: 'down', bytes })
      expect(await commitAndCheck(`down ${bytes}`)).to.equal('stored')
    }
  })

  for (const [what, first, expected] of [
    ['stored', { direction: 'down', bytes: 0 }, 'stored'],
    ['not stored', { direction: 'up', bytes: 30 }, 'not stored'],
  ] as const) {
    it(`is reported as ${what} even if the question for its outcome is cut too`, async () => {
      await connect()
      detour.doom(first)
      expect(await commitAndCheck('first')).to.equal(expected)
      // The connection that asked has passed the handshake, the question and its answer.
      const asked = { ...detour.passed }
      for (const direction of ['up', 'down'] as const) {
        for (let bytes = 0; bytes <= asked[direction]; bytes += 3) {
          await cutTwice(first, { direction, bytes }, expected)
        }
      }
    })
  }

  async function cutTwice(first: Fate, second: Fate, expected: string): Promise<void> {
    await connect()
    detour.doom(first)
    detour.foretell(second)
    expect(await commitAndCheck(`${second.direction} ${second.bytes}`)).to.equal(expected)
    detour.foretell()
  }
})
