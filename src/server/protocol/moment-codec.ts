import type { Retention } from '../../core/storage.js'
import type { FrameWriter } from './frame-writer.js'
import type { PayloadReader } from './payload-reader.js'

/** A moment of the past: a transaction, or a time in ms since 1970. */
type Point = { readonly tid: number } | { readonly time: number }

export function writePoint(out: FrameWriter, point: Point | undefined): void {
  if (point === undefined) {
    out.u8(0)
  } else if ('tid' in point) {
    out.u8(1)
    out.id(point.tid)
  } else {
    out.u8(2)
    out.f64(point.time)
  }
}

export function readPoint(input: PayloadReader): Point | undefined {
  switch (input.u8()) {
    case 0:
      return undefined
    case 1:
      return { tid: input.id() }
    case 2:
      return { time: input.f64() }
    default:
      throw input.error('it means no moment')
  }
}

/** The numbers may be anything: it is the storage that says what makes sense. */
export function writeRetention(out: FrameWriter, retain: Retention | undefined): void {
  if (retain === undefined) {
    out.u8(0)
    return
  }
  const [tag, value] =
    'tid' in retain
      ? [1, retain.tid]
      : 'date' in retain
        ? [2, retain.date.getTime()]
        : 'durationMs' in retain
          ? [3, retain.durationMs]
          : [4, retain.transactions]
  out.u8(tag)
  out.f64(value)
}

export function readRetention(input: PayloadReader): Retention | undefined {
  const tag = input.u8()
  if (tag === 0) return undefined
  const value = input.f64()
  switch (tag) {
    case 1:
      return { tid: value }
    case 2:
      return { date: new Date(value) }
    case 3:
      return { durationMs: value }
    case 4:
      return { transactions: value }
    default:
      throw input.error('it retains nothing that is known')
  }
}
