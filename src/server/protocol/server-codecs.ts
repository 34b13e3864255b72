import type { Conflict } from '../../core/errors.js'
import type { Capability } from '../../core/storage.js'
import { bare, type Codecs } from './codec.js'
import { readError, writeError } from './error-codec.js'
import { readJson, writeJson } from './json-fields.js'
import { readLimits } from './limit-codec.js'
import type { Part, Reply, Role, ServerNotice } from './messages.js'
import type { PayloadReader } from './payload-reader.js'
import {
  batchBytes,
  readBatch,
  readRecords,
  readTransaction,
  recordsBytes,
  transactionBytes,
  writeBatch,
  writeRecord,
  writeTransaction,
} from './record-codecs.js'
import { readReport, writeReport } from './report-codec.js'

const ROLES: readonly Role[] = ['reader', 'writer', 'admin']
const OUTCOMES = ['committed', 'refused', 'unknown'] as const
const PHASES = ['scan', 'mark', 'copy', 'catch-up', 'switch'] as const
const MAX_MECHANISMS = 16
const MAX_MECHANISM_BYTES = 64

const opening: Pick<Codecs<Reply>, 'welcome' | 'challenge' | 'done' | 'error'> = {
  welcome: {
    kind: 0x40,
    numbered: true,
    write: (out, { welcome }) => writeJson(out, welcome),
    read: (input) => {
      const fields = readJson(input)
      return {
        type: 'welcome',
        welcome: {
          version: fields.id('version'),
          limits: readLimits(input, fields.object('limits')),
          serverId: fields.string('serverId'),
          databaseId: fields.string('databaseId'),
          location: fields.string('location'),
          serializer: fields.string('serializer'),
          capabilities: fields.strings('capabilities') as Capability[],
          readonly: fields.boolean('readonly'),
          role: fields.oneOf('role', ROLES),
        },
      }
    },
  },
  challenge: {
    kind: 0x41,
    numbered: true,
    write: (out, { mechanisms, data }) => {
      out.varint(mechanisms.length)
      for (const mechanism of mechanisms) out.string(mechanism)
      out.sized(data)
    },
    read: (input) => {
      const mechanisms: string[] = []
      const count = input.count(1)
      if (count > MAX_MECHANISMS) throw input.error('it lists too many mechanisms')
      for (let i = 0; i < count; i++) mechanisms.push(input.string(MAX_MECHANISM_BYTES))
      return { type: 'challenge', mechanisms, data: input.sized() }
    },
  },
  done: bare(0x42, true, { type: 'done' }),
  error: {
    kind: 0x4b,
    numbered: true,
    write: (out, { error }) => writeError(out, error),
    read: (input) => ({ type: 'error', error: readError(input) }),
  },
}

const answers: Pick<Codecs<Reply>, 'snapshot' | 'allocated' | 'committed' | 'conflicts' | 'outcome'> = {
  snapshot: {
    kind: 0x43,
    numbered: true,
    write: (out, { snapshot, tid }) => {
      out.id(snapshot)
      out.id(tid)
    },
    read: (input) => ({ type: 'snapshot', snapshot: input.id(), tid: input.id() }),
  },
  allocated: {
    kind: 0x44,
    numbered: true,
    write: (out, { first }) => out.id(first),
    read: (input) => ({ type: 'allocated', first: input.id() }),
  },
  committed: {
    kind: 0x45,
    numbered: true,
    write: (out, { tid }) => out.id(tid),
    read: (input) => ({ type: 'committed', tid: input.id() }),
  },
  conflicts: {
    kind: 0x46,
    numbered: true,
    write: (out, { conflicts }) => {
      out.varint(conflicts.length)
      for (const { oid, tid, className } of conflicts) {
        out.id(oid)
        out.id(tid)
        out.string(className)
      }
    },
    read: (input) => ({ type: 'conflicts', conflicts: readConflicts(input) }),
  },
  outcome: {
    kind: 0x47,
    numbered: true,
    write: (out, { outcome, tid }) => {
      out.u8(OUTCOMES.indexOf(outcome))
      out.id(tid)
    },
    read: (input) => {
      const outcome = OUTCOMES[input.u8()]
      if (outcome === undefined) throw input.error('it is no outcome')
      return { type: 'outcome', outcome, tid: input.id() }
    },
  },
}

const results: Pick<Codecs<Reply>, 'packed' | 'verified' | 'statistics'> = {
  packed: {
    kind: 0x48,
    numbered: true,
    write: (out, { result }) => writeJson(out, result),
    read: (input) => {
      const fields = readJson(input)
      return {
        type: 'packed',
        result: {
          objectsBefore: fields.id('objectsBefore'),
          objectsAfter: fields.id('objectsAfter'),
          bytesBefore: fields.id('bytesBefore'),
          bytesAfter: fields.id('bytesAfter'),
          historyFrom: fields.id('historyFrom'),
        },
      }
    },
  },
  verified: {
    kind: 0x49,
    numbered: true,
    write: (out, { report }) => writeReport(out, report),
    read: (input) => ({ type: 'verified', report: readReport(input) }),
  },
  statistics: {
    kind: 0x4a,
    numbered: true,
    write: (out, { statistics }) => writeJson(out, Object.fromEntries(Object.entries(statistics).filter(isSendable))),
    read: (input) => {
      const fields = readJson(input)
      const figures = fields.all(isFigure)
      const [loads, commits, conflicts] = [fields.id('loads'), fields.id('commits'), fields.id('conflicts')]
      const [bytes, tid] = [fields.id('bytes'), fields.id('tid')]
      return { type: 'statistics', statistics: { ...figures, loads, commits, conflicts, bytes, tid } }
    },
  },
}

const parts: Codecs<Part> = {
  recordsPart: {
    kind: 0x60,
    numbered: true,
    bytes: ({ records }) => recordsBytes(records),
    write: (out, { records }) => {
      for (const record of records) writeRecord(out, record)
    },
    read: (input) => ({ type: 'recordsPart', records: readRecords(input) }),
  },
  batchPart: {
    kind: 0x61,
    numbered: true,
    bytes: ({ batch }) => batchBytes(batch),
    write: (out, { batch }) => writeBatch(out, batch),
    read: (input) => ({ type: 'batchPart', batch: readBatch(input) }),
  },
  transactionsPart: {
    kind: 0x62,
    numbered: true,
    bytes: ({ transactions }) => transactions.reduce((bytes, transaction) => bytes + transactionBytes(transaction), 0),
    write: (out, { transactions }) => {
      for (const transaction of transactions) writeTransaction(out, transaction)
    },
    read: (input) => {
      const transactions = []
      while (input.left > 0) transactions.push(readTransaction(input))
      return { type: 'transactionsPart', transactions }
    },
  },
  packProgress: {
    kind: 0x63,
    numbered: true,
    write: (out, { progress }) => writeJson(out, Object.fromEntries(Object.entries(progress).filter(isSendable))),
    read: (input) => {
      const fields = readJson(input)
      return {
        type: 'packProgress',
        progress: {
          phase: fields.oneOf('phase', PHASES),
          objects: fields.number('objects'),
          objectsTotal: fields.number('objectsTotal'),
          bytes: fields.number('bytes'),
          bytesTotal: fields.number('bytesTotal'),
          remainingMs: fields.has('remainingMs') ? fields.number('remainingMs') : undefined,
        },
      }
    },
  },
  verifyProgress: {
    kind: 0x64,
    numbered: true,
    write: (out, { progress: { objects, objectsTotal, bytes, bytesTotal } }) => {
      for (const figure of [objects, objectsTotal, bytes, bytesTotal]) out.id(figure)
    },
    read: (input) => ({
      type: 'verifyProgress',
      progress: { objects: input.id(), objectsTotal: input.id(), bytes: input.id(), bytesTotal: input.id() },
    }),
  },
}

const notices: Codecs<ServerNotice> = {
  changed: {
    kind: 0x70,
    numbered: false,
    bytes: ({ oids }) => 24 + (oids?.length ?? 0) * 4,
    write: (out, { after, upTo, oids }) => {
      out.id(after)
      out.id(upTo)
      out.u8(oids === undefined ? 0 : 1)
      if (oids !== undefined) out.ids(oids)
    },
    read: (input) => {
      const [after, upTo] = [input.id(), input.id()]
      if (upTo < after) throw input.error('it goes back in time')
      return { type: 'changed', after, upTo, oids: input.boolean() ? input.ids() : undefined }
    },
  },
  closing: {
    kind: 0x71,
    numbered: false,
    write: (out, { error }) => writeError(out, error),
    read: (input) => ({ type: 'closing', error: readError(input) }),
  },
}

/** What servers send. */
export const serverCodecs: Codecs<Reply | Part | ServerNotice> = {
  ...opening,
  ...answers,
  ...results,
  ...parts,
  ...notices,
}

function readConflicts(input: PayloadReader): Conflict[] {
  const conflicts: Conflict[] = []
  for (let count = input.count(3); count > 0; count--) {
    const [oid, tid] = [input.id(), input.id()]
    conflicts.push({ oid, tid, className: input.string() })
  }
  return conflicts
}

/** JSON has no NaN and no infinities. Without them a figure is missing, and not wrong. */
function isSendable([, value]: [string, unknown]): boolean {
  return typeof value === 'string' || Number.isFinite(value)
}

function isFigure(value: unknown): value is number | string {
  return typeof value === 'number' || typeof value === 'string'
}
