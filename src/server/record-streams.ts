import type { Oid } from '../core/oid.js'
import type {
  RecordBatch,
  Snapshot,
  Storage,
  StoredRecord,
  TransactionInfo,
  TransactionRange,
} from '../core/storage.js'
import { splitBatch } from './batch-split.js'
import { PART_BYTES } from './output.js'
import type { PartStream } from './part-stream.js'
import { FrameWriter } from './protocol/frame-writer.js'
import { encodeServerMessage } from './protocol/message-frames.js'
import { transactionBytes } from './protocol/record-codecs.js'
import { assertSendable, RecordParts } from './record-parts.js'

/** So many objects are loaded at a time at first; then so many as fill a part. */
const FIRST_SLICE = 64
const MOST_IN_SLICE = 128

/** Sends the objects in the order asked for. Resolves to the number of records sent. */
export async function streamMany(
  stream: PartStream,
  request: number,
  snapshot: Snapshot,
  oids: readonly Oid[],
  limitBytes: number,
): Promise<number> {
  let position = 0
  let slice = FIRST_SLICE
  let ready: (StoredRecord | undefined)[] = []
  let sent = 0
  const make = async (): Promise<Buffer | undefined> => {
    const records: (StoredRecord | undefined)[] = []
    let bytes = 0
    while (bytes < PART_BYTES) {
      if (ready.length === 0) {
        if (position === oids.length) break
        await stream.pause()
        ready = (await snapshot.loadMany(oids.slice(position, position + slice))).reverse()
        position += ready.length
      }
      const record = ready.pop()
      if (record !== undefined) assertSendable(record, limitBytes)
      const size = 24 + (record?.data.length ?? 0)
      if (bytes > 0 && bytes + size > limitBytes) {
        ready.push(record)
        break
      }
      records.push(record)
      bytes += size
    }
    if (records.length === 0) return undefined
    sent += records.reduce((count, record) => (record === undefined ? count : count + 1), 0)
    slice = Math.min(MOST_IN_SLICE, Math.max(1, Math.floor((records.length * PART_BYTES) / bytes)))
    return encodeServerMessage(request, { type: 'recordsPart', records })
  }
  while (await stream.send(make)) {
    // Each turn sends a part.
  }
  return sent
}

/** Sends all objects of a snapshot. Resolves to the number of records sent. */
export async function streamRecords(
  stream: PartStream,
  request: number,
  snapshot: Snapshot,
  limitBytes: number,
): Promise<number> {
  const records = snapshot.records()[Symbol.asyncIterator]()
  const parts = new RecordParts(request, limitBytes, new FrameWriter())
  let waiting: StoredRecord | undefined
  let sent = 0
  const make = async (): Promise<Buffer | undefined> => {
    if (waiting !== undefined) parts.add(waiting)
    waiting = undefined
    while (!parts.isFull && !stream.isCancelled) {
      const { value: record, done } = await records.next()
      if (done) break
      sent++
      if (parts.fits(record)) {
        parts.add(record)
        continue
      }
      waiting = { ...record, data: Uint8Array.from(record.data) }
      break
    }
    return parts.take()
  }
  try {
    while (await stream.send(make)) {
      // Each turn sends a part.
    }
  } finally {
    await records.return?.()
  }
  return sent
}

/** Sends all objects of a snapshot without their states. */
export async function streamBatches(
  stream: PartStream,
  request: number,
  snapshot: Snapshot,
  limitBytes: number,
): Promise<void> {
  await streamEach(stream, snapshot.scan(), function* (batch: RecordBatch) {
    for (const part of splitBatch(batch, Math.min(PART_BYTES, limitBytes), limitBytes)) {
      yield encodeServerMessage(request, { type: 'batchPart', batch: part })
    }
  })
}

/** Sends past transactions. */
export async function streamTransactions(
  stream: PartStream,
  request: number,
  storage: Storage,
  range: TransactionRange,
): Promise<void> {
  const infos = storage.transactions(range)[Symbol.asyncIterator]()
  const make = async (): Promise<Buffer | undefined> => {
    const transactions: TransactionInfo[] = []
    for (let bytes = 0; bytes < PART_BYTES && !stream.isCancelled; ) {
      const { value: info, done } = await infos.next()
      if (done) break
      transactions.push(info)
      bytes += transactionBytes(info)
    }
    if (transactions.length === 0) return undefined
    return encodeServerMessage(request, { type: 'transactionsPart', transactions })
  }
  try {
    while (await stream.send(make)) {
      // Each turn sends a part.
    }
  } finally {
    await infos.return?.()
  }
}

/** Sends the frames that are made of each of the items. */
async function streamEach<T>(
  stream: PartStream,
  items: AsyncIterable<T>,
  framesOf: (item: T) => Iterator<Buffer>,
): Promise<void> {
  const source = items[Symbol.asyncIterator]()
  let frames: Iterator<Buffer> | undefined
  const make = async (): Promise<Buffer | undefined> => {
    while (!stream.isCancelled) {
      const frame = frames?.next()
      if (frame !== undefined && !frame.done) return frame.value
      const { value: item, done } = await source.next()
      if (done) return undefined
      frames = framesOf(item)
    }
    return undefined
  }
  try {
    while (await stream.send(make)) {
      // Each turn sends a part.
    }
  } finally {
    await source.return?.()
  }
}
