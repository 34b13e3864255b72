import { PerdureError } from '../../core/errors.js'
import { clientCodecs } from './client-codecs.js'
import { byKind, type Codec, type Codecs } from './codec.js'
import type { Frame } from './frame-reader.js'
import { FrameWriter, MAX_REQUEST_ID } from './frame-writer.js'
import type { ClientNotice, Part, Reply, Request, ServerNotice } from './messages.js'
import { PayloadReader } from './payload-reader.js'
import { serverCodecs } from './server-codecs.js'

export type ClientMessage = Request | ClientNotice
export type ServerMessage = Reply | Part | ServerNotice

/** A message with the id of the request it is, or answers; 0 for notices. */
export interface Numbered<M> {
  readonly request: number
  readonly message: M
}

const clientKinds = byKind(clientCodecs)
const serverKinds = byKind(serverCodecs)

/** All frames that are not built bit by bit are laid out here. */
const writer = new FrameWriter()

/**
 * The frame of a message to the server.
 *
 * @param request its id, from 1; 0 for a notice
 * @throws PerdureError `PERDURE_ARGUMENT` if a number in it cannot be sent; `PERDURE_LIMIT` if a commit has more reads
 *   or writes than may be sent at once
 */
export function encodeClientMessage(request: number, message: ClientMessage): Buffer {
  return encode(clientCodecs as Codecs<ClientMessage>, request, message)
}

/**
 * The frame of a message to a client.
 *
 * @param request the id of the request it answers; 0 for a notice
 * @throws PerdureError `PERDURE_ARGUMENT` if a number in it cannot be sent
 */
export function encodeServerMessage(request: number, message: ServerMessage): Buffer {
  return encode(serverCodecs as Codecs<ServerMessage>, request, message)
}

/**
 * What a client has sent. Record data and tokens are views of the frame.
 *
 * @throws PerdureError `PERDURE_PROTOCOL` with `details.offset`
 */
export function decodeClientMessage(frame: Frame): Numbered<ClientMessage> {
  return decode(clientKinds, frame)
}

/**
 * What a server has sent. Record data are views of the frame.
 *
 * @throws PerdureError `PERDURE_PROTOCOL` with `details.offset`
 */
export function decodeServerMessage(frame: Frame): Numbered<ServerMessage> {
  return decode(serverKinds, frame)
}

function encode<M extends { readonly type: string }>(codecs: Codecs<M>, request: number, message: M): Buffer {
  const codec = codecs[message.type as M['type']] as unknown as Codec<M>
  if (codec.numbered ? request < 1 || request > MAX_REQUEST_ID : request !== 0) {
    throw new PerdureError('PERDURE_ARGUMENT', `A message '${message.type}' cannot have the request id ${request}.`)
  }
  writer.begin(codec.kind, request, codec.bytes?.(message))
  codec.write(writer, message)
  return writer.end()
}

function decode<M extends { readonly type: string }>(
  kinds: readonly (Codec<M> | undefined)[],
  { kind, request, payload }: Frame,
): Numbered<M> {
  const codec = kinds[kind]
  const input = new PayloadReader(kind, payload)
  if (codec === undefined) throw input.error('there is no such kind')
  if (codec.numbered !== request > 0) throw input.error(`it cannot have the request id ${request}`)
  const message = codec.read(input)
  input.finish()
  return { request, message }
}
