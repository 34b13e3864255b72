import fc from 'fast-check'
import { PerdureError, packError } from '../../../src/core/errors.js'
import { MAX_ID } from '../../../src/core/oid.js'
import type { RecordBatch } from '../../../src/core/storage.js'
import type { ClientMessage, ServerMessage } from '../../../src/server/protocol/message-frames.js'

/*
 * Every message there is, with every shape it may have. The tables are typed by the messages, so that one that is
 * added cannot be forgotten here.
 */

type Table<M extends { readonly type: string }> = {
  readonly [T in M['type']]: fc.Arbitrary<Extract<M, { readonly type: T }>>
}

const id = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constant(MAX_ID))
const ids = fc.array(id, { maxLength: 20 })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const figure = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value))
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const token = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((array) => Buffer.from(array))
const limits = fc.record({
  frameBytes: fc.integer({ min: 65_536, max: 2 ** 31 }),
  requests: fc.integer({ min: 1, max: 2000 }),
  snapshots: fc.integer({ min: 1, max: 2 ** 20 }),
})
const point = fc.oneof(
  id.map((tid) => ({ tid })),
  figure.map((time) => ({ time })),
)
const retention = fc.oneof(
  id.map((tid) => ({ tid })),
  fc.date({ noInvalidDate: true }).map((date) => ({ date })),
  figure.map((durationMs) => ({ durationMs })),
  id.map((transactions) => ({ transactions })),
)
const record = fc.record({ oid: id, tid: id, data: bytes })
const plainError = fc.oneof(
  text.map((message) => new PerdureError('PERDURE_BUSY', message, { details: { oid: 7, path: message } })),
  text.map((message) => new TypeError(message)),
)
const error = fc
  .tuple(plainError, plainError)
  .map(([cause, effect]) => packError(new PerdureError('PERDURE_IO', effect.message, { cause })))
  .map(({ stack: _, cause, ...rest }) => ({ ...rest, stack: '', ...(cause && { cause: { ...cause, stack: '' } }) }))

const clientTable: Table<ClientMessage> = {
  hello: fc.record({
    type: fc.constant('hello'),
    hello: fc.record({ versions: fc.array(fc.nat(9), { maxLength: 9 }), limits, agent: text }),
  }),
  authenticate: fc.record({ type: fc.constant('authenticate'), mechanism: fc.string({ maxLength: 20 }), data: bytes }),
  ping: fc.constant({ type: 'ping' }),
  snapshot: fc.record({ type: fc.constant('snapshot'), at: point }, { requiredKeys: ['type'] }),
  load: fc.record({ type: fc.constant('load'), snapshot: id, oid: id, aheadRecords: id, aheadBytes: id }),
  loadMany: fc.record({ type: fc.constant('loadMany'), snapshot: id, oids: ids }),
  records: fc.record({ type: fc.constant('records'), snapshot: id }),
  scan: fc.record({ type: fc.constant('scan'), snapshot: id }),
  allocate: fc.record({ type: fc.constant('allocate'), count: id }),
  commit: fc.record({
    type: fc.constant('commit'),
    base: id,
    token,
    note: text,
    user: text,
    reads: ids,
    writes: fc.array(fc.record({ oid: id, data: bytes }), { maxLength: 10 }),
  }),
  outcome: fc.record({ type: fc.constant('outcome'), token, base: id }),
  transactions: fc.record(
    { type: fc.constant('transactions'), from: point, to: point, oid: id, newestFirst: fc.boolean() },
    { requiredKeys: ['type', 'newestFirst'] },
  ),
  pack: fc.record(
    { type: fc.constant('pack'), retain: retention, keepOld: fc.boolean() },
    { requiredKeys: ['type', 'keepOld'] },
  ),
  verify: fc.constant({ type: 'verify' }),
  statistics: fc.constant({ type: 'statistics' }),
  stop: fc.constant({ type: 'stop' }),
  release: fc.record({ type: fc.constant('release'), snapshot: id }),
  cancel: fc.record({ type: fc.constant('cancel'), request: id }),
  credit: fc.record({ type: fc.constant('credit'), request: id, parts: id }),
  goodbye: fc.constant({ type: 'goodbye' }),
}

const progress = { objects: id, objectsTotal: id, bytes: id, bytesTotal: id }

const serverTable: Table<ServerMessage> = {
  welcome: fc.record({
    type: fc.constant('welcome'),
    welcome: fc.record({
      version: fc.nat(9),
      limits,
      serverId: text,
      databaseId: text,
      location: text,
      serializer: text,
      capabilities: fc.subarray([
        'persistent',
        'durable',
        'pack',
        'history',
        'threads',
        'readers',
        'verify',
        'restore',
      ] as const),
      readonly: fc.boolean(),
      role: fc.constantFrom('reader', 'writer', 'admin'),
    }),
  }),
  challenge: fc.record({
    type: fc.constant('challenge'),
    mechanisms: fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }),
    data: bytes,
  }),
  done: fc.constant({ type: 'done' }),
  snapshot: fc.record({ type: fc.constant('snapshot'), snapshot: id, tid: id }),
  allocated: fc.record({ type: fc.constant('allocated'), first: id }),
  committed: fc.record({ type: fc.constant('committed'), tid: id }),
  conflicts: fc.record({
    type: fc.constant('conflicts'),
    conflicts: fc.array(fc.record({ oid: id, tid: id, className: text }), { maxLength: 10 }),
  }),
  outcome: fc.record({
    type: fc.constant('outcome'),
    outcome: fc.constantFrom('committed', 'refused', 'unknown'),
    tid: id,
  }),
  packed: fc.record({
    type: fc.constant('packed'),
    result: fc.record({ objectsBefore: id, objectsAfter: id, bytesBefore: id, bytesAfter: id, historyFrom: id }),
  }),
  verified: fc.record({
    type: fc.constant('verified'),
    report: fc.record({
      objects: id,
      bytes: id,
      classes: fc.array(fc.tuple(text, id), { maxLength: 10 }).map((entries) => new Map(entries)),
      problems: fc.array(
        fc.record(
          {
            kind: fc.constantFrom('damaged', 'undecodable', 'dangling-reference', 'wrong-class', 'index'),
            oid: id,
            className: text,
            offset: id,
            message: text,
          },
          { requiredKeys: ['kind', 'message'] },
        ),
        { maxLength: 5 },
      ),
      problemCount: id,
    }),
  }),
  statistics: fc.record({
    type: fc.constant('statistics'),
    statistics: fc.record({ loads: id, commits: id, conflicts: id, bytes: id, tid: id, own: figure, name: text }),
  }),
  error: fc.record({ type: fc.constant('error'), error }),
  recordsPart: fc.record({
    type: fc.constant('recordsPart'),
    records: fc.array(fc.option(record, { nil: undefined }), { maxLength: 10 }),
  }),
  batchPart: fc.record({ type: fc.constant('batchPart'), batch: fc.array(fc.tuple(record, ids)).map(batchOf) }),
  transactionsPart: fc.record({
    type: fc.constant('transactionsPart'),
    transactions: fc.array(
      fc.record(
        {
          tid: id,
          time: fc.date({ min: new Date(0), noInvalidDate: true }),
          note: text,
          user: text,
          token: fc.uint8Array({ minLength: 16, maxLength: 16 }),
          bytes: id,
          oids: ids,
        },
        { requiredKeys: ['tid', 'time', 'note', 'user', 'bytes', 'oids'] },
      ),
      { maxLength: 5 },
    ),
  }),
  packProgress: fc.record({
    type: fc.constant('packProgress'),
    progress: fc.record({
      phase: fc.constantFrom('scan', 'mark', 'copy', 'catch-up', 'switch'),
      ...progress,
      remainingMs: fc.option(figure, { nil: undefined }),
    }),
  }),
  verifyProgress: fc.record({ type: fc.constant('verifyProgress'), progress: fc.record(progress) }),
  changed: fc
    .record({ type: fc.constant('changed' as const), after: id, upTo: id, oids: fc.option(ids, { nil: undefined }) })
    .map((notice) => ({
      ...notice,
      after: Math.min(notice.after, notice.upTo),
      upTo: Math.max(notice.after, notice.upTo),
    })),
  closing: fc.record({ type: fc.constant('closing'), error }),
}

function batchOf(objects: [{ oid: number; tid: number; data: Buffer }, number[]][]): RecordBatch {
  const classNames = ['Account', 'PersistentMap']
  let end = 0
  return {
    oids: Float64Array.from(objects, ([{ oid }]) => oid),
    tids: Float64Array.from(objects, ([{ tid }]) => tid),
    bytes: Uint32Array.from(objects, ([{ data }]) => data.length),
    classes: Uint32Array.from(objects, ([{ oid }]) => oid % classNames.length),
    classNames,
    referenceEnds: Uint32Array.from(objects, ([, references]) => {
      end += references.length
      return end
    }),
    references: Float64Array.from(objects.flatMap(([, references]) => references)),
  }
}

/** A message of a client. */
export const clientMessage: fc.Arbitrary<ClientMessage> = fc.oneof(...Object.values(clientTable))

/** A message of a server. */
export const serverMessage: fc.Arbitrary<ServerMessage> = fc.oneof(...Object.values(serverTable))

const NOTICES: readonly string[] = ['release', 'cancel', 'credit', 'goodbye', 'changed', 'closing']

/** An id that suits the message. */
export function requestIdFor(message: { readonly type: string }, id: number): number {
  return NOTICES.includes(message.type) ? 0 : id
}
