import fc from 'fast-check'
import { encodeRecord } from '../../../src/core/record.js'
import { Reference } from '../../../src/core/reference.js'
import { type ClientMessage, encodeClientMessage } from '../../../src/server/protocol/message-frames.js'
import { DEFAULT_LIMITS, PREFACE } from '../../../src/server/protocol/messages.js'
import type { Random } from '../../../src/testing/random.js'
import { clientMessage, requestIdFor } from '../protocol/arbitrary-messages.js'
import { mutate, randomBytes } from './mutation.js'

const HELLO: ClientMessage = { type: 'hello', hello: { versions: [2], limits: DEFAULT_LIMITS, agent: 'fuzz' } }

/** What a client might say, as a list of frames, and sometimes would never say. */
export class Conversations {
  readonly #random: Random
  readonly #samples: readonly ClientMessage[]

  constructor(random: Random) {
    this.#random = random
    this.#samples = fc.sample(clientMessage, { numRuns: 2000, seed: random.uint32() })
  }

  /** A message that would do no harm, or any other. */
  message(): ClientMessage {
    return this.#random.below(4) === 0 ? this.#random.pick(this.#samples) : this.#plausible()
  }

  /** A whole conversation, mutated more often than not. */
  bytes(): Buffer {
    const random = this.#random
    const frames: Buffer[] = random.below(20) === 0 ? [] : [PREFACE]
    if (random.below(20) > 0) frames.push(encodeClientMessage(1, HELLO))
    for (let count = random.below(12); count > 0; count--) frames.push(this.#frame())
    if (random.below(3) === 0) return mutate(random, Buffer.concat(frames))
    return Buffer.concat(frames)
  }

  #frame(): Buffer {
    const random = this.#random
    if (random.below(40) === 0) return this.#nonsense()
    const message = this.message()
    const frame = encodeClientMessage(requestIdFor(message, 1 + random.below(30)), message)
    return random.below(12) === 0 ? mutate(random, frame) : frame
  }

  /** A frame whose length is right and whose kind mostly exists. */
  #nonsense(): Buffer {
    const random = this.#random
    const payload = randomBytes(random, random.below(40))
    const head = Buffer.alloc(9)
    head.writeUInt32LE(payload.length + 5)
    head[4] = random.below(0x26)
    head.writeUInt32LE(random.below(3), 5)
    return Buffer.concat([head, payload])
  }

  #plausible(): ClientMessage {
    const random = this.#random
    const snapshot = 1 + random.below(4)
    const oid = random.below(12)
    const base = random.below(6)
    const token = Buffer.alloc(16, random.below(8))
    switch (random.below(14)) {
      case 0:
      case 1:
        return { type: 'snapshot' }
      case 2:
        return { type: 'load', snapshot, oid, aheadRecords: random.below(20), aheadBytes: random.below(10_000) }
      case 3:
        return { type: 'loadMany', snapshot, oids: [oid, random.below(20), oid] }
      case 4:
        return { type: 'records', snapshot }
      case 5:
        return { type: 'scan', snapshot }
      case 6:
      case 7:
        return { type: 'commit', base, token, note: '', user: '', reads: [oid], writes: [this.#write(oid)] }
      case 8:
        return { type: 'outcome', token, base }
      case 9:
        return { type: 'allocate', count: 1 + random.below(100) }
      case 10:
        return { type: 'release', snapshot }
      case 11:
        return { type: 'cancel', request: 1 + random.below(30) }
      case 12:
        return { type: 'credit', request: 1 + random.below(30), parts: random.below(3) }
      default:
        return random.pick([{ type: 'ping' }, { type: 'statistics' }, { type: 'verify' }, { type: 'stop' }] as const)
    }
  }

  #write(oid: number): { oid: number; data: Uint8Array } {
    const references = [new Reference(this.#random.below(12), 'A')]
    return { oid, data: encodeRecord('A', references, randomBytes(this.#random, this.#random.below(50))) }
  }
}
