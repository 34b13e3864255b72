import { createHmac, randomBytes } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import type { PerdureError } from '../../../src/core/errors.js'
import { ScramClient, type ScramClientOptions } from '../../../src/server/auth/scram-client.js'
import { fakeVerifier, makeVerifier, type ScramVerifier } from '../../../src/server/auth/scram-keys.js'
import { SCRAM_SHA_256, SCRAM_SHA_256_PLUS } from '../../../src/server/auth/scram-messages.js'
import { type KnownUser, ScramServer, scramMechanisms } from '../../../src/server/auth/scram-server.js'
import { failure } from '../../support/errors.js'

const SECRET = Buffer.from('a secret of the server')
const ITERATIONS = 4096

describe('SCRAM-SHA-256', () => {
  let ada: ScramVerifier

  before(async () => {
    ada = await makeVerifier('pencil', ITERATIONS)
  })

  async function lookUp(name: string): Promise<KnownUser<string>> {
    if (name === 'ada') return { verifier: ada, who: name }
    return { verifier: fakeVerifier(SECRET, name, ITERATIONS), who: undefined }
  }

  function client(options: Partial<ScramClientOptions> = {}): ScramClient {
    return new ScramClient({ user: 'ada', password: 'pencil', mechanisms: [SCRAM_SHA_256], ...options })
  }

  function server(mechanism: string, channelBinding?: Buffer): ScramServer<string> {
    return new ScramServer(mechanism, { lookUp, channelBinding })
  }

  /** Runs an exchange to its end, and says who the server takes the client for. */
  async function run(from: ScramClient, to: ScramServer<string>): Promise<string | undefined> {
    const first = await to.step(from.first())
    const last = await to.step(await from.final(first.data))
    from.verify(last.data)
    return last.who
  }

  function reason(error: PerdureError): string {
    return (error.cause as Error).message
  }

  it('exchanges the messages of RFC 7677', async () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
    const verifier = await makeVerifier('pencil', 4096, salt)
    const from = client({ user: 'user', nonce: 'rOprNGfwEbeRWgbNEkqO' })
    const to = new ScramServer(SCRAM_SHA_256, {
      lookUp: async (name) => ({ verifier, who: name }),
      nonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    })
    expect(`${from.first()}`).to.equal('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
    const challenge = await to.step(from.first())
    expect(`${challenge.data}`).to.equal(
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    )
    const final = await from.final(challenge.data)
    expect(`${final}`).to.equal(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    )
    const last = await to.step(final)
    expect(`${last.data}`).to.equal('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    expect(last.who).to.equal('user')
    from.verify(last.data)
  })

  it('lets in who knows the password, however it is typed', async () => {
    expect(await run(client(), server(SCRAM_SHA_256))).to.equal('ada')
    expect(await run(client({ password: 'pen\u00ADcil', user: '\u00AAda' }), server(SCRAM_SHA_256))).to.equal('ada')
  })

  it('takes names with commas and equals signs', async () => {
    const to = new ScramServer(SCRAM_SHA_256, { lookUp: async (name) => ({ verifier: ada, who: name }) })
    expect(await run(client({ user: 'a=b,=2C' }), to)).to.equal('a=b,=2C')
  })

  it('says the same about a wrong password and an unknown user, at the same point', async () => {
    const wrong = client({ password: 'pencils' })
    const unknown = client({ user: 'eve' })
    const errors: PerdureError[] = []
    for (const from of [wrong, unknown]) {
      const to = server(SCRAM_SHA_256)
      const final = await from.final((await to.step(from.first())).data)
      errors.push(await failure('PERDURE_AUTHENTICATION', () => to.step(final)))
    }
    expect(errors[0]?.message).to.equal(errors[1]?.message)
    expect(errors.map(reason)).to.deep.equal(['wrong password', 'no such user'])
  })

  it('gives an unknown user the same salt each time', async () => {
    const salts: (string | undefined)[] = []
    for (const user of ['eve', 'eve', 'mallory']) {
      const { data } = await server(SCRAM_SHA_256).step(client({ user }).first())
      salts.push(/s=([^,]+)/.exec(data.toString())?.[1])
    }
    expect(salts[0]).to.equal(salts[1]).and.not.equal(salts[2])
    expect(Buffer.from(`${salts[0]}`, 'base64')).to.have.length(ada.salt.length)
  })

  it('refuses a recorded exchange', async () => {
    const from = client()
    const recorded = server(SCRAM_SHA_256)
    const final = await from.final((await recorded.step(from.first())).data)
    expect((await recorded.step(final)).who).to.equal('ada')
    const replayed = server(SCRAM_SHA_256)
    await replayed.step(from.first())
    const error = await failure('PERDURE_AUTHENTICATION', () => replayed.step(final))
    expect(reason(error)).to.include('nonce')
  })

  it('is over after it has failed or succeeded', async () => {
    const from = client()
    const to = server(SCRAM_SHA_256)
    const final = await from.final((await to.step(from.first())).data)
    await to.step(final)
    await failure('PERDURE_AUTHENTICATION', () => to.step(final))
    const other = server(SCRAM_SHA_256)
    await failure('PERDURE_AUTHENTICATION', () => other.step(Buffer.from('nonsense')))
    await failure('PERDURE_AUTHENTICATION', () => other.step(from.first()))
  })

  it('cannot be done with what the server stores', async () => {
    // Whoever has the verifier takes it for the client key.
    const to = server(SCRAM_SHA_256)
    const from = client()
    const { data } = await to.step(from.first())
    const withoutProof = `c=biws,r=${/r=([^,]+)/.exec(data.toString())?.[1]}`
    const signed = `${from.first().subarray(3)},${data},${withoutProof}`
    const signature = createHmac('sha256', ada.storedKey).update(signed).digest()
    const proof = Buffer.from(ada.storedKey.map((byte, i) => byte ^ (signature[i] as number)))
    const final = Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
    await failure('PERDURE_AUTHENTICATION', () => to.step(final))
  })

  it('refuses every message that was changed on its way', async () => {
    const from = client()
    const first = from.first()
    for (let i = 0; i < first.length; i++) {
      const to = server(SCRAM_SHA_256)
      const changed = Buffer.from(first)
      changed[i] = (changed[i] as number) ^ 1
      await failure('PERDURE_AUTHENTICATION', async () => {
        const challenge = await to.step(changed)
        return to.step(await from.final(challenge.data))
      })
    }
    for (let i = 0; ; i++) {
      const to = server(SCRAM_SHA_256)
      const final = await from.final((await to.step(first)).data)
      if (i === final.length) break
      final[i] = (final[i] as number) ^ 1
      await failure('PERDURE_AUTHENTICATION', () => to.step(final))
    }
  }).timeout(60_000)

  for (const [what, message] of [
    ['nothing', ''],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe])],
    ['another user to act for', 'n,a=eve,n=ada,r=abc'],
    ['an extension that must be understood', 'n,,m=x,n=ada,r=abc'],
    ['no nonce', 'n,,n=ada,r='],
    ['another kind of binding', 'p=tls-unique,,n=ada,r=abc'],
    ['binding outside of -PLUS', 'p=tls-exporter,,n=ada,r=abc'],
    ['a bad escape', 'n,,n=a=2X,r=abc'],
    ['too much', `n,,n=${'a'.repeat(5000)},r=abc`],
  ] as const) {
    it(`refuses a first message with ${what}`, () =>
      failure('PERDURE_AUTHENTICATION', () => server(SCRAM_SHA_256).step(Buffer.from(message))))
  }

  it('refuses whatever else it is sent, in either place', async () => {
    const first = client().first()
    const texts = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'npyacrvime=,/+A0\0é') }),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    )
    await fc.assert(
      fc.asyncProperty(texts, fc.boolean(), async (text, atOnce) => {
        const to = server(SCRAM_SHA_256)
        if (!atOnce) await to.step(first)
        const step = to.step(Buffer.from(text, 'latin1'))
        if (atOnce && /^[ny],,n=[^,]+,r=./.test(text)) return
        await failure('PERDURE_AUTHENTICATION', () => step)
      }),
      { numRuns: 2000 },
    )
  })

  describe('the client', () => {
    it('refuses a server that does not know the verifier', async () => {
      const from = client()
      await from.final((await server(SCRAM_SHA_256).step(from.first())).data)
      for (const last of [`v=${randomBytes(32).toString('base64')}`, 'v=AAAA', 'v=', '', 'e=other-error']) {
        await failure('PERDURE_AUTHENTICATION', () => from.verify(Buffer.from(last)))
      }
    })

    it('refuses a server that skips the proof', () =>
      failure('PERDURE_PROTOCOL', () => client().verify(Buffer.from('v=AAAA'))))

    for (const [what, message] of [
      ['another nonce', 'r=other,s=AAAA,i=4096'],
      ['its own nonce alone', 'r=mine,s=AAAA,i=4096'],
      ['few iterations', 'r=mine1,s=AAAA,i=4095'],
      ['endless iterations', 'r=mine1,s=AAAA,i=9999999999'],
      ['no salt', 'r=mine1,s=,i=4096'],
      ['a salt that is no base64', 'r=mine1,s=A,i=4096'],
      ['an extension that must be understood', 'm=x,r=mine1,s=AAAA,i=4096'],
    ] as const) {
      it(`refuses a first message with ${what}`, () =>
        failure('PERDURE_AUTHENTICATION', () => client({ nonce: 'mine' }).final(Buffer.from(message))))
    }

    it('refuses a server that offers nothing it knows', () =>
      failure('PERDURE_AUTHENTICATION', () => client({ mechanisms: ['PLAIN'] })))

    it('refuses a name or a password that cannot be one', async () => {
      await failure('PERDURE_ARGUMENT', () => client({ user: '' }))
      await failure('PERDURE_ARGUMENT', () => client({ password: 'a\u0007' }))
    })
  })

  describe('channel binding', () => {
    const channel = Buffer.alloc(32, 1)
    const mechanisms = scramMechanisms(channel)

    it('is used when both sides have TLS', async () => {
      const from = client({ mechanisms, channelBinding: channel })
      expect(from.mechanism).to.equal(SCRAM_SHA_256_PLUS)
      expect(await run(from, server(from.mechanism, channel))).to.equal('ada')
    })

    it('refuses two TLS connections with somebody in between', async () => {
      const from = client({ mechanisms, channelBinding: Buffer.alloc(32, 2) })
      const error = await failure('PERDURE_AUTHENTICATION', () => run(from, server(from.mechanism, channel)))
      expect(reason(error)).to.equal('channel bindings do not match')
    })

    it('cannot be taken off the list by somebody in between', async () => {
      const from = client({ mechanisms: [SCRAM_SHA_256], channelBinding: Buffer.alloc(32, 2) })
      expect(from.mechanism).to.equal(SCRAM_SHA_256)
      const error = await failure('PERDURE_AUTHENTICATION', () => run(from, server(from.mechanism, channel)))
      expect(reason(error)).to.include('downgrade')
    })

    it('cannot be denied in the name of the client', async () => {
      const from = client({ mechanisms: [SCRAM_SHA_256], channelBinding: Buffer.alloc(32, 2) })
      const to = server(SCRAM_SHA_256, channel)
      const first = from.first()
      first[0] = 'n'.charCodeAt(0)
      const challenge = await to.step(first)
      const final = await from.final(challenge.data)
      await failure('PERDURE_AUTHENTICATION', () => to.step(final))
    })

    it('is not needed where the server has no TLS of its own', async () => {
      const from = client({ mechanisms: [SCRAM_SHA_256], channelBinding: channel })
      expect(from.first().toString()).to.match(/^y,,/)
      expect(await run(from, server(from.mechanism))).to.equal('ada')
    })

    it('is not offered without TLS', async () => {
      expect(scramMechanisms(undefined)).to.deep.equal([SCRAM_SHA_256])
      await failure('PERDURE_AUTHENTICATION', () => server(SCRAM_SHA_256_PLUS))
    })
  })
})
