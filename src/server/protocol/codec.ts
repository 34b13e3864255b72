import type { FrameWriter } from './frame-writer.js'
import type { PayloadReader } from './payload-reader.js'

/** How the payload of one kind of message is written and read. */
export interface Codec<M> {
  readonly kind: number
  /** Whether it carries the id of a request; notices do not. */
  readonly numbered: boolean
  /** @throws PerdureError `PERDURE_ARGUMENT` for what cannot be sent, `PERDURE_LIMIT` for too much of it */
  write(out: FrameWriter, message: M): void
  /** @throws PerdureError `PERDURE_PROTOCOL` */
  read(input: PayloadReader): M
  /** About how many bytes the payload takes, where that may be many. */
  bytes?(message: M): number
}

/** One codec for each type of message. */
export type Codecs<M extends { readonly type: string }> = {
  readonly [T in M['type']]: Codec<Extract<M, { readonly type: T }>>
}

/** A codec for messages that are nothing but their type. */
export function bare<M extends { readonly type: string }>(kind: number, numbered: boolean, message: M): Codec<M> {
  return { kind, numbered, write: () => {}, read: () => message }
}

/** The codecs by kind. */
export function byKind<M extends { readonly type: string }>(codecs: Codecs<M>): (Codec<M> | undefined)[] {
  const table: (Codec<M> | undefined)[] = new Array(256).fill(undefined)
  for (const codec of Object.values(codecs) as Codec<M>[]) table[codec.kind] = codec
  return table
}
