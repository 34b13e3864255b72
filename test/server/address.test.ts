import { expect } from 'chai'
import fc from 'fast-check'
import { type Address, formatAddress, isAddressUrl, parseAddress, socketOptions } from '../../src/server/address.js'
import { failure } from '../support/errors.js'

const addresses: readonly [url: string, address: Address][] = [
  ['perdure://localhost:1234', { kind: 'tcp', host: 'localhost', port: 1234, tls: false }],
  ['perdure://[::1]:2972', { kind: 'tcp', host: '::1', port: 2972, tls: false }],
  ['perdure+tls://db.example:2972', { kind: 'tcp', host: 'db.example', port: 2972, tls: true }],
  ['perdure+unix:///run/a%20b.sock', { kind: 'unix', path: '/run/a b.sock' }],
  ['perdure+unix:here.sock', { kind: 'unix', path: 'here.sock' }],
  ['perdure+unix:@name', { kind: 'unix', path: '@name' }],
]

describe('addresses', () => {
  for (const [url, address] of addresses) {
    it(`reads and writes ${url}`, () => {
      expect(parseAddress(url)).to.deep.equal(address)
      expect(formatAddress(address)).to.equal(url)
      expect(isAddressUrl(url)).to.equal(true)
    })
  }

  it('have a default port and host', () => {
    expect(parseAddress('perdure://localhost')).to.include({ host: 'localhost', port: 2972 })
    expect(parseAddress({})).to.deep.equal({ kind: 'tcp', host: '127.0.0.1', port: 2972, tls: false })
    expect(parseAddress({ port: 0 })).to.include({ port: 0 })
    expect(parseAddress({ path: '@x' })).to.deep.equal({ kind: 'unix', path: '@x' })
  })

  it('are what sockets take', () => {
    expect(socketOptions(parseAddress('perdure://[::1]'))).to.deep.equal({ host: '::1', port: 2972 })
    expect(socketOptions(parseAddress('perdure+unix:@x'))).to.deep.equal({ path: `\0x${'\0'.repeat(106)}` })
    const { path = '' } = socketOptions({ kind: 'unix', path: '@ä' }) as { path?: string }
    expect(Buffer.byteLength(path)).to.equal(108)
    expect(socketOptions(parseAddress({ path: '/x/@y' }))).to.deep.equal({ path: '/x/@y' })
  })

  it('may be any path', () => {
    const path = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
    fc.assert(
      fc.property(path, (name) => {
        fc.pre(name !== '@' && !name.includes('\0') && !name.startsWith('//'))
        expect(parseAddress(formatAddress({ kind: 'unix', path: name }))).to.deep.equal({ kind: 'unix', path: name })
      }),
    )
  })

  const wrong = [
    'localhost:2972',
    'http://localhost',
    'perdure:localhost',
    'perdure://',
    'perdure://localhost:99999',
    'perdure://localhost:x',
    'perdure://local host',
    'perdure://localhost/path',
    'perdure://localhost?query',
    'perdure+ssl://localhost',
    'perdure+unix:',
    'perdure+unix:@',
    'perdure+unix:%zz',
    `perdure+unix:///${'x'.repeat(110)}`,
  ]
  for (const url of wrong) {
    it(`refuses ${url.slice(0, 40)}`, () => failure('PERDURE_ARGUMENT', () => parseAddress(url)))
  }

  it('refuse secrets without repeating them', async () => {
    for (const url of ['perdure://ada:secret@localhost', 'perdure+tls://secret@localhost:1/x', 'http://x:secret@y']) {
      expect((await failure('PERDURE_ARGUMENT', () => parseAddress(url))).message).not.to.include('secret')
    }
  })

  it('refuse parts that are none', async () => {
    await failure('PERDURE_ARGUMENT', () => parseAddress({ port: 1.5 }))
    await failure('PERDURE_ARGUMENT', () => parseAddress({ port: -1 }))
    await failure('PERDURE_ARGUMENT', () => parseAddress({ host: '' }))
    await failure('PERDURE_ARGUMENT', () => parseAddress({ path: 'a\0b' }))
  })
})
