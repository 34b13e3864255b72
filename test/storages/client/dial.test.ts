import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { expect } from 'chai'
import { encodeServerMessage } from '../../../src/server/protocol/message-frames.js'
import { DEFAULT_LIMITS, type Limits, PROTOCOL_VERSION } from '../../../src/server/protocol/messages.js'
import { dial } from '../../../src/storages/client/dial.js'
import { failure } from '../../support/errors.js'

describe('dial', () => {
  let listener: Server
  let sockets: Socket[]
  let answer: Buffer | undefined

  beforeEach(async () => {
    sockets = []
    answer = undefined
    listener = createServer((socket) => {
      sockets.push(socket.on('error', () => {}))
      socket.once('data', () => answer !== undefined && socket.write(answer))
    }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
  })

  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => listener.close(resolve))
  })

  function settings() {
    const { port } = listener.address() as AddressInfo
    return {
      address: { kind: 'tcp', host: '127.0.0.1', port, tls: false } as const,
      tls: {},
      user: undefined,
      password: undefined,
      backlog: new Int32Array(0),
    }
  }

  function welcome(limits: Limits): Buffer {
    const welcome = {
      version: PROTOCOL_VERSION,
      limits,
      serverId: 'one',
      databaseId: 'one',
      location: 'nowhere',
      serializer: 'json',
      capabilities: [],
      readonly: false,
      role: 'admin' as const,
    }
    return encodeServerMessage(1, { type: 'welcome', welcome })
  }

  it('makes no connection when it has been given up', async () => {
    const given = await dial(settings(), 200, AbortSignal.abort('enough')).catch((reason) => reason)
    expect(given).to.equal('enough')
    expect(await new Promise((resolve) => listener.getConnections((_, count) => resolve(count)))).to.equal(0)
    expect(sockets).to.have.length(0)
  })

  it('accepts no limits above those it has asked for', async () => {
    answer = welcome(DEFAULT_LIMITS)
    const { socket } = await dial(settings(), 5000, new AbortController().signal)
    socket.destroy()
    for (const name of ['frameBytes', 'requests', 'snapshots'] as const) {
      answer = welcome({ ...DEFAULT_LIMITS, [name]: DEFAULT_LIMITS[name] + 1 })
      const error = await failure('PERDURE_PROTOCOL', () => dial(settings(), 5000, new AbortController().signal))
      expect(error.message).to.include(name)
    }
  })
})
