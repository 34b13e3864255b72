import { expect } from 'chai'
import fc from 'fast-check'
import { PerdureError } from '../../../src/core/errors.js'
import { anonymous } from '../../../src/server/authentication.js'
import { type Frame, FrameReader } from '../../../src/server/protocol/frame-reader.js'
import {
  decodeClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  encodeServerMessage,
} from '../../../src/server/protocol/message-frames.js'
import { Random } from '../../../src/testing/random.js'
import { CountingStorage } from '../../support/counting-storage.js'
import { SessionBench, turn } from '../../support/fake-transport.js'
import { requestIdFor, serverMessage } from '../protocol/arbitrary-messages.js'
import { Conversations } from './conversation.js'
import { chunksOf, mutate, randomBytes } from './mutation.js'

/** A storage sees so many conversations before it is replaced. */
const CONVERSATIONS_PER_STORAGE = 500

/** What became of the inputs. */
export interface CampaignResult {
  /** Parsed without objection, and refused with PERDURE_PROTOCOL. */
  accepted: number
  refused: number
}

/** Feeds mutated frames of both directions to the frame reader and the decoders. */
export function fuzzDecoders(count: number, seed: number): CampaignResult {
  const random = new Random(seed)
  const conversations = new Conversations(random)
  const answers = fc.sample(serverMessage, { numRuns: 2000, seed })
  const result = { accepted: 0, refused: 0 }
  for (let i = 0; i < count; i++) {
    const isRequest = random.below(2) === 0
    const request = 1 + random.below(2 ** 31)
    const [message, answer] = [conversations.message(), random.pick(answers)]
    const frame = isRequest
      ? encodeClientMessage(requestIdFor(message, request), message)
      : encodeServerMessage(requestIdFor(answer, request), answer)
    const bytes = random.below(10) === 0 ? randomBytes(random, random.below(60)) : mutate(random, frame)
    const decode = isRequest ? decodeClientMessage : decodeServerMessage
    if (isAccepted(random, bytes, decode)) result.accepted++
    else result.refused++
  }
  return result
}

function isAccepted(random: Random, bytes: Buffer, decode: (frame: Frame) => unknown): boolean {
  const reader = new FrameReader(100_000)
  try {
    for (const chunk of chunksOf(random, bytes)) {
      reader.push(chunk)
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) decode(frame)
    }
    expect(reader.pendingBytes).to.be.at.most(bytes.length)
    return true
  } catch (error) {
    if (!(error instanceof PerdureError) || error.code !== 'PERDURE_PROTOCOL') throw error
    expect(error.details.offset).to.be.a('number')
    return false
  }
}

/** Lets sessions have mutated conversations, beside a client that behaves. */
export async function fuzzSessions(count: number, seed: number): Promise<CampaignResult> {
  const random = new Random(seed)
  const conversations = new Conversations(random)
  const result = { accepted: 0, refused: 0 }
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    for (let done = 0; done < count; done += CONVERSATIONS_PER_STORAGE) {
      const storage = new CountingStorage()
      const witness = await new SessionBench(storage).letIn()
      for (let i = done; i < Math.min(count, done + CONVERSATIONS_PER_STORAGE); i++) {
        await converse(storage, random, conversations.bytes(), result)
      }
      await expectAnswer(witness)
      expect(storage.openSnapshots).to.equal(0)
      await storage.close()
    }
    await turn()
    expect(unhandled).to.deep.equal([])
    return result
  } finally {
    process.off('unhandledRejection', note)
  }
}

async function converse(storage: CountingStorage, random: Random, bytes: Buffer, result: CampaignResult) {
  const bench = new SessionBench(storage, anonymous(random.pick(['reader', 'writer', 'admin'] as const)))
  bench.transport.isOpen = random.below(10) > 0
  for (const chunk of chunksOf(random, bytes)) {
    bench.session.receive(chunk)
    if (random.below(4) === 0) await turn()
    if (random.below(20) === 0) bench.session.tick(random.below(10))
  }
  await turn()
  if (random.below(8) === 0) await bench.session.stop()
  bench.drain()
  bench.session.ended()
  await turn()
  expect(storage.openSnapshots).to.equal(0)
  for (const error of bench.errors) {
    if (!(error instanceof PerdureError) || error.code !== 'PERDURE_PROTOCOL') throw error
  }
  for (const event of bench.events) if (event.event === 'requestFailed') throw event.error
  if (bench.errors.length > 0) result.refused++
  else result.accepted++
}

/** A client that did nothing wrong is served as if nothing had happened. */
async function expectAnswer(witness: SessionBench): Promise<void> {
  witness.send(1, { type: 'snapshot' })
  witness.send(2, { type: 'loadMany', snapshot: 1, oids: [0, 1] })
  witness.send(3, { type: 'ping' })
  for (let i = 0; i < 5; i++) await turn()
  expect([1, 2, 3].map((id) => witness.typesFor(id).at(-1))).to.deep.equal(['snapshot', 'done', 'done'])
  witness.session.ended()
}
