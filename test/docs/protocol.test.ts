import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { clientCodecs } from '../../src/server/protocol/client-codecs.js'
import {
  type ClientMessage,
  encodeClientMessage,
  encodeServerMessage,
  type ServerMessage,
} from '../../src/server/protocol/message-frames.js'
import { PREFACE } from '../../src/server/protocol/messages.js'
import { serverCodecs } from '../../src/server/protocol/server-codecs.js'
import { PACKAGE } from '../support/documented-programs.js'
import { Markdown } from '../support/markdown.js'

const text = readFileSync(join(PACKAGE, 'docs', 'protocol.md'), 'utf8')

describe('The description of protocol 2', () => {
  it('gives the bytes of its example as they are sent', () => {
    const blocks = new Markdown(text).blocks.filter(({ section }) => section === 'An example')
    const described = blocks.flatMap(({ code }) => framesOf(code))
    const token = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
    const [before, after] = [Buffer.from([1, 1, 65, 0, 128]), Buffer.from([1, 1, 65, 0, 129])]
    expect(described).to.deep.equal([
      client(2, { type: 'snapshot' }),
      server(0, { type: 'changed', after: 0, upTo: 300, oids: undefined }),
      server(2, { type: 'snapshot', snapshot: 1, tid: 300 }),
      client(3, { type: 'load', snapshot: 1, oid: 7, aheadRecords: 64, aheadBytes: 65_536 }),
      server(3, { type: 'recordsPart', records: [{ oid: 7, tid: 12, data: before }] }),
      server(3, { type: 'done' }),
      client(4, {
        type: 'commit',
        base: 300,
        token,
        note: 'hi',
        user: '',
        reads: [0],
        writes: [{ oid: 7, data: after }],
      }),
      server(0, { type: 'changed', after: 300, upTo: 301, oids: [7] }),
      server(4, { type: 'committed', tid: 301 }),
      client(0, { type: 'release', snapshot: 1 }),
      client(0, { type: 'goodbye' }),
    ])
  })

  it('names the preface and every kind of message', () => {
    expect(text).to.contain(PREFACE.toString('hex').toUpperCase().match(/../g)?.join(' '))
    const described = [...text.matchAll(/^\| ([0-9A-F]{2}) \| /gm)].map((match) => Number.parseInt(match[1] ?? '', 16))
    const kinds = [...Object.values(clientCodecs), ...Object.values(serverCodecs)].map(({ kind }) => kind)
    expect(described).to.have.members(kinds)
  })
})

/** Each frame as `C` or `S` and its bytes. Lines that begin with a blank go on with the frame before. */
function framesOf(code: string): string[] {
  const lines = code.split('\n').filter((line) => !line.startsWith('#'))
  return lines.join('\n').replaceAll('\n  ', ' ').split('\n')
}

function client(request: number, message: ClientMessage): string {
  return `C ${hex(encodeClientMessage(request, message))}`
}

function server(request: number, message: ServerMessage): string {
  return `S ${hex(encodeServerMessage(request, message))}`
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex').replace(/..(?=.)/g, '$& ')
}
