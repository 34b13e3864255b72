import { PerdureError } from '../../core/errors.js'
import type { Oid } from '../../core/oid.js'
import type { RecordWrite } from '../../core/storage.js'
import { bare, type Codecs } from './codec.js'
import { readJson, writeJson } from './json-fields.js'
import { readLimits } from './limit-codec.js'
import {
  type ClientNotice,
  MAX_COMMIT_READS,
  MAX_COMMIT_WRITES,
  MAX_LOAD_MANY,
  type Request,
  TOKEN_BYTES,
} from './messages.js'
import { readPoint, readRetention, writePoint, writeRetention } from './moment-codec.js'
import type { PayloadReader } from './payload-reader.js'
import { recordsBytes } from './record-codecs.js'

/** The first message is short, and so are those of the authentication: a peer that nobody knows gets little memory. */
const MAX_AGENT_BYTES = 1024
const MAX_VERSIONS = 32
const MAX_MECHANISM_BYTES = 64
const MAX_AUTHENTICATION_BYTES = 16_384

const opening: Pick<Codecs<Request>, 'hello' | 'authenticate' | 'ping'> = {
  hello: {
    kind: 0x01,
    numbered: true,
    write: (out, { hello }) => writeJson(out, hello),
    read: (input) => {
      const fields = readJson(input)
      const versions = fields.ids('versions')
      const agent = fields.string('agent')
      if (versions.length > MAX_VERSIONS) throw input.error('it lists too many versions')
      if (agent.length > MAX_AGENT_BYTES) throw input.error('its agent is too long')
      return { type: 'hello', hello: { versions, limits: readLimits(input, fields.object('limits')), agent } }
    },
  },
  authenticate: {
    kind: 0x02,
    numbered: true,
    write: (out, { mechanism, data }) => {
      out.string(mechanism)
      out.sized(data)
    },
    read: (input) => ({
      type: 'authenticate',
      mechanism: input.string(MAX_MECHANISM_BYTES),
      data: input.sized(MAX_AUTHENTICATION_BYTES),
    }),
  },
  ping: bare(0x03, true, { type: 'ping' }),
}

const reading: Pick<Codecs<Request>, 'snapshot' | 'load' | 'loadMany' | 'records' | 'scan' | 'transactions'> = {
  snapshot: {
    kind: 0x04,
    numbered: true,
    write: (out, { at }) => writePoint(out, at),
    read: (input) => {
      const at = readPoint(input)
      return at === undefined ? { type: 'snapshot' } : { type: 'snapshot', at }
    },
  },
  load: {
    kind: 0x05,
    numbered: true,
    write: (out, { snapshot, oid, aheadRecords, aheadBytes }) => {
      out.id(snapshot)
      out.id(oid)
      out.id(aheadRecords)
      out.id(aheadBytes)
    },
    read: (input) => ({
      type: 'load',
      snapshot: input.id(),
      oid: input.id(),
      aheadRecords: input.id(),
      aheadBytes: input.id(),
    }),
  },
  loadMany: {
    kind: 0x06,
    numbered: true,
    bytes: ({ oids }) => oids.length * 4 + 16,
    write: (out, { snapshot, oids }) => {
      out.id(snapshot)
      out.ids(oids)
    },
    read: (input) => {
      const snapshot = input.id()
      return { type: 'loadMany', snapshot, oids: input.ids(MAX_LOAD_MANY) }
    },
  },
  records: {
    kind: 0x07,
    numbered: true,
    write: (out, { snapshot }) => out.id(snapshot),
    read: (input) => ({ type: 'records', snapshot: input.id() }),
  },
  scan: {
    kind: 0x08,
    numbered: true,
    write: (out, { snapshot }) => out.id(snapshot),
    read: (input) => ({ type: 'scan', snapshot: input.id() }),
  },
  transactions: {
    kind: 0x0c,
    numbered: true,
    write: (out, { from, to, oid, newestFirst }) => {
      writePoint(out, from)
      writePoint(out, to)
      out.u8(oid === undefined ? 0 : 1)
      if (oid !== undefined) out.id(oid)
      out.u8(newestFirst ? 1 : 0)
    },
    read: (input) => {
      const from = readPoint(input)
      const to = readPoint(input)
      const oid = input.boolean() ? input.id() : undefined
      return {
        type: 'transactions',
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
        ...(oid !== undefined && { oid }),
        newestFirst: input.boolean(),
      }
    },
  },
}

const writing: Pick<Codecs<Request>, 'allocate' | 'commit' | 'outcome'> = {
  allocate: {
    kind: 0x09,
    numbered: true,
    write: (out, { count }) => out.id(count),
    read: (input) => ({ type: 'allocate', count: input.id() }),
  },
  commit: {
    kind: 0x0a,
    numbered: true,
    bytes: ({ note, user, reads, writes }) =>
      64 + (note.length + user.length) * 3 + reads.length * 5 + recordsBytes(writes),
    write: (out, { base, token, note, user, reads, writes }) => {
      assertNotTooMany('writes', writes.length, MAX_COMMIT_WRITES)
      assertNotTooMany('reads', reads.length, MAX_COMMIT_READS)
      out.id(base)
      out.bytes(token)
      out.string(note)
      out.string(user)
      out.ids(reads)
      out.varint(writes.length)
      for (const { oid, data } of writes) {
        out.id(oid)
        out.sized(data)
      }
    },
    read: (input) => ({
      type: 'commit',
      base: input.id(),
      token: input.view(TOKEN_BYTES),
      note: input.string(),
      user: input.string(),
      reads: input.ids(MAX_COMMIT_READS),
      writes: readWrites(input),
    }),
  },
  outcome: {
    kind: 0x0b,
    numbered: true,
    write: (out, { token, base }) => {
      out.bytes(token)
      out.id(base)
    },
    read: (input) => ({ type: 'outcome', token: input.view(TOKEN_BYTES), base: input.id() }),
  },
}

const managing: Pick<Codecs<Request>, 'pack' | 'verify' | 'statistics' | 'stop'> = {
  pack: {
    kind: 0x0d,
    numbered: true,
    write: (out, { retain, keepOld }) => {
      writeRetention(out, retain)
      out.u8(keepOld ? 1 : 0)
    },
    read: (input) => {
      const retain = readRetention(input)
      const keepOld = input.boolean()
      return retain === undefined ? { type: 'pack', keepOld } : { type: 'pack', retain, keepOld }
    },
  },
  verify: bare(0x0e, true, { type: 'verify' }),
  statistics: bare(0x0f, true, { type: 'statistics' }),
  stop: bare(0x10, true, { type: 'stop' }),
}

const notices: Codecs<ClientNotice> = {
  release: {
    kind: 0x20,
    numbered: false,
    write: (out, { snapshot }) => out.id(snapshot),
    read: (input) => ({ type: 'release', snapshot: input.id() }),
  },
  cancel: {
    kind: 0x21,
    numbered: false,
    write: (out, { request }) => out.id(request),
    read: (input) => ({ type: 'cancel', request: input.id() }),
  },
  credit: {
    kind: 0x22,
    numbered: false,
    write: (out, { request, parts }) => {
      out.id(request)
      out.id(parts)
    },
    read: (input) => ({ type: 'credit', request: input.id(), parts: input.id() }),
  },
  goodbye: bare(0x23, false, { type: 'goodbye' }),
}

/** What clients send. */
export const clientCodecs: Codecs<Request | ClientNotice> = {
  ...opening,
  ...reading,
  ...writing,
  ...managing,
  ...notices,
}

function readWrites(input: PayloadReader): RecordWrite[] {
  const writes: { oid: Oid; data: Buffer }[] = []
  for (let count = input.count(2, MAX_COMMIT_WRITES); count > 0; count--)
    writes.push({ oid: input.id(), data: input.sized() })
  return writes
}

function assertNotTooMany(what: string, count: number, limit: number): void {
  if (count <= limit) return
  throw new PerdureError(
    'PERDURE_LIMIT',
    `A commit over the network has at most ${limit} ${what}: this one has ${count}.`,
    {
      details: { limit },
    },
  )
}
