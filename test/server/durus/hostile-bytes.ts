import type { Random } from '../../../src/testing/random.js'
import { durusTransaction, int4, int8 } from '../../support/durus-client.js'

/** Oids are taken from the first few, so that clients get in each other's way. */
const OIDS = 40

/** What a client sends in one life: mostly requests that make sense, and some that do not. */
export function hostileBytes(random: Random): Buffer {
  const parts: Buffer[] = []
  if (random.below(20) > 0) parts.push(request('V', int4(random.below(20) === 0 ? random.uint32() : 1)))
  for (let count = random.below(12); count > 0; count--) parts.push(anyRequest(random))
  const bytes = Buffer.concat(parts)
  return random.below(3) === 0 ? damage(random, bytes) : bytes
}

function request(command: string, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(command), ...parts])
}

function anyRequest(random: Random): Buffer {
  const oid = () => int8(random.below(30) === 0 ? BigInt(random.uint32()) * 2n ** 32n : random.below(OIDS))
  switch (random.below(12)) {
    case 0:
      return request('N')
    case 1:
      return request('M', Buffer.of(random.pick([0, 1, 32, 32, 255])))
    case 2:
      return request('L', oid())
    case 3: {
      const oids = Array.from({ length: random.pick([0, 1, 5, 100]) }, oid)
      return request('B', int4(oids.length + (random.below(30) === 0 ? random.below(10_000) : 0)), ...oids)
    }
    case 4:
      return request('S')
    case 5:
      return request('P')
    case 6:
      return request(random.pick(['.', 'Q', '\0', 'O', 'V', ' ', 'c']))
    case 7:
      return request('C', int4(0))
    default:
      return request('C', transaction(random))
  }
}

/** Sometimes one that stores what there may be, so that it goes through. */
function transaction(random: Random): Buffer {
  const stored = new Set<number>()
  for (let count = random.pick([1, 1, 2, 10]); count > 0; count--) stored.add(random.below(random.pick([1, 3, OIDS])))
  const objects = Array.from(stored, (oid) => ({
    oid,
    data: random.pick(['', '\x80\x02cmodule\nName\nq\x00.', '\x80\x02c', 'x'.repeat(random.below(3000))]),
    references: Array.from({ length: random.below(4) }, () => random.pick([0, oid, random.below(OIDS)])),
  }))
  return durusTransaction(objects)
}

/** Cuts, changes, repeats or inserts some bytes. */
function damage(random: Random, bytes: Buffer): Buffer {
  const damaged = Buffer.from(bytes)
  const at = random.below(bytes.length + 1)
  switch (random.below(5)) {
    case 0:
      return damaged.subarray(0, at)
    case 1:
      return Buffer.concat([
        damaged.subarray(0, at),
        damaged.subarray(Math.min(bytes.length, at + 1 + random.below(8))),
      ])
    case 2:
      return Buffer.concat([damaged.subarray(0, at), int4(random.uint32()), damaged.subarray(at)])
    case 3:
      return Buffer.concat([damaged, damaged.subarray(at)])
    default:
      for (let count = 1 + random.below(4); count > 0 && damaged.length > 0; count--) {
        damaged[random.below(damaged.length)] = random.pick([0, 1, 255, random.below(256)])
      }
      return damaged
  }
}
