import type { Duplex } from 'node:stream'
import { PerdureError, unpackError } from '../../core/errors.js'
import { ScramClient } from '../../server/auth/scram-client.js'
import { FrameReader } from '../../server/protocol/frame-reader.js'
import { LENGTH_BYTES } from '../../server/protocol/frame-writer.js'
import {
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type ServerMessage,
} from '../../server/protocol/message-frames.js'
import { DEFAULT_LIMITS, type Limits, PREFACE, PROTOCOL_VERSION, type Welcome } from '../../server/protocol/messages.js'

/** Frames before the welcome are short; what claims to be longer is not from a server of ours. */
const MAX_FRAME_BYTES = 64 * 1024

const AGENT = `perdure, node ${process.versions.node}, pid ${process.pid}`

export interface Credentials {
  readonly user: string | undefined
  readonly password: string | undefined
  /** What binds the login to the TLS connection. */
  readonly channelBinding: Uint8Array | undefined
}

/** The connection ended before the server said that it may be used. It may be starting, or stopping. */
export class EndedEarly extends Error {}

/** What a connection begins with. */
export interface Beginning {
  readonly welcome: Welcome
  /** What came behind the welcome. */
  readonly rest: Buffer
}

/**
 * Introduces the client, and logs in if the server asks for that. The socket is paused afterwards.
 *
 * @throws PerdureError `PERDURE_PROTOCOL` if this is no server of ours, `PERDURE_AUTHENTICATION`, and what the server
 *   refuses the client with; {@link EndedEarly}
 */
export async function shakeHands(socket: Duplex, credentials: Credentials): Promise<Beginning> {
  const talk = new Talk(socket)
  try {
    const hello = { versions: [PROTOCOL_VERSION], limits: DEFAULT_LIMITS, agent: AGENT }
    let answer = await talk.ask({ type: 'hello', hello }, PREFACE)
    if (answer.type === 'challenge') answer = await authenticate(talk, answer.mechanisms, credentials)
    else if (answer.type === 'welcome' && credentials.user !== undefined) throw unproven()
    if (answer.type !== 'welcome') throw unexpected(answer.type)
    if (answer.welcome.version !== PROTOCOL_VERSION) {
      throw new PerdureError('PERDURE_PROTOCOL', `The server speaks version ${answer.welcome.version} of the protocol.`)
    }
    checkLimits(answer.welcome.limits)
    return { welcome: answer.welcome, rest: talk.rest }
  } finally {
    talk.end()
  }
}

/** What was asked for is the most that this side takes. */
function checkLimits(limits: Limits): void {
  for (const name of ['frameBytes', 'requests', 'snapshots'] as const) {
    if (limits[name] <= DEFAULT_LIMITS[name]) continue
    const text = `The server has set the limit ${name} to ${limits[name]}, above the ${DEFAULT_LIMITS[name]} that it was asked for.`
    throw new PerdureError('PERDURE_PROTOCOL', text, { details: { limit: DEFAULT_LIMITS[name] } })
  }
}

async function authenticate(
  talk: Talk,
  mechanisms: readonly string[],
  { user, password, channelBinding }: Credentials,
): Promise<ServerMessage> {
  if (user === undefined || password === undefined) {
    throw new PerdureError(
      'PERDURE_AUTHENTICATION',
      'The server asks who you are. Give the options user and password (or passwordFile, or PERDURE_PASSWORD).',
    )
  }
  const scram = new ScramClient({ user, password, mechanisms, channelBinding })
  const first = await talk.ask({ type: 'authenticate', mechanism: scram.mechanism, data: scram.first() })
  if (first.type !== 'challenge') throw unexpected(first.type)
  const data = await scram.final(first.data)
  const last = await talk.ask({ type: 'authenticate', mechanism: '', data })
  if (last.type !== 'challenge') throw unexpected(last.type)
  scram.verify(last.data)
  // The server has proved itself; an empty message lets it say what it is.
  return talk.ask({ type: 'authenticate', mechanism: '', data: new Uint8Array() })
}

/** Who poses as a server and cannot prove that it knows the password's verifier would not ask for it. */
function unproven(): PerdureError {
  return new PerdureError(
    'PERDURE_AUTHENTICATION',
    'The server did not ask for a password, so it has not proved that it is the right one. Leave out the option user if it serves everybody.',
  )
}

function unexpected(type: string): PerdureError {
  return new PerdureError('PERDURE_PROTOCOL', `The server answered with '${type}' before it let the client in.`)
}

/** Questions and answers, one at a time. */
class Talk {
  /** What has come and belongs to no frame that was taken. */
  rest = Buffer.alloc(0)
  readonly #socket: Duplex
  #requests = 0
  #ended: Error | undefined
  #wake: (() => void) | undefined

  readonly #onData = (chunk: Buffer) => {
    this.rest = Buffer.concat([this.rest, chunk])
    this.#wake?.()
  }

  readonly #onEnd = (error?: unknown) => {
    this.#ended ??= error instanceof Error ? error : new EndedEarly('The server closed the connection.')
    this.#wake?.()
  }

  constructor(socket: Duplex) {
    this.#socket = socket
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onEnd).on('error', this.#onEnd)
  }

  async ask(message: ClientMessage, before = Buffer.alloc(0)): Promise<ServerMessage> {
    const id = ++this.#requests
    this.#socket.write(Buffer.concat([before, encodeClientMessage(id, message)]))
    const { request, message: answer } = await this.#next()
    if (answer.type === 'error' || answer.type === 'closing') throw unpackError(answer.error)
    if (request !== id) throw unexpected(answer.type)
    return answer
  }

  async #next(): Promise<ReturnType<typeof decodeServerMessage>> {
    for (;;) {
      const frame = this.#takeFrame()
      if (frame !== undefined) return decodeServerMessage(frame)
      if (this.#ended !== undefined) throw this.#ended
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #takeFrame() {
    if (this.rest.length < LENGTH_BYTES) return undefined
    const length = this.rest.readUInt32LE(0)
    if (length > MAX_FRAME_BYTES) throw notOurs(this.rest)
    if (this.rest.length < LENGTH_BYTES + length) return undefined
    const reader = new FrameReader(MAX_FRAME_BYTES)
    reader.push(this.rest.subarray(0, LENGTH_BYTES + length))
    this.rest = this.rest.subarray(LENGTH_BYTES + length)
    return reader.next()
  }

  end(): void {
    const socket = this.#socket
    socket.pause()
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd).off('error', this.#onEnd)
  }
}

function notOurs(bytes: Buffer): PerdureError {
  const shown = JSON.stringify(bytes.subarray(0, 32).toString('latin1'))
  return new PerdureError('PERDURE_PROTOCOL', `This is no Perdure server: what it says begins with ${shown}.`, {
    details: { offset: 0 },
  })
}
