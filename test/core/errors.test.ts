import { once } from 'node:events'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import fc from 'fast-check'
import {
  ConflictError,
  CorruptionError,
  type PackedError,
  PerdureError,
  packError,
  systemCode,
  unpackError,
} from '../../src/core/errors.js'

describe('PerdureError', () => {
  it('has a code, details, a cause and a name', () => {
    const cause = new Error('beneath')
    const error = new PerdureError('PERDURE_IO', 'It broke.', { details: { path: '/db' }, cause })
    expect(error).to.be.instanceOf(Error)
    expect([error.code, error.message, error.name, error.details.path]).to.deep.equal([
      'PERDURE_IO',
      'It broke.',
      'PerdureError',
      '/db',
    ])
    expect(error.cause).to.equal(cause)
    expect(error.stack).to.contain('PerdureError: It broke.')
    expect(Object.keys(error)).not.to.include('name')
    expect(inspect(error)).to.contain("code: 'PERDURE_IO'")
    expect('cause' in new PerdureError('PERDURE_IO', 'No cause.')).to.equal(false)
  })

  it('of a conflict names five objects and counts the others', () => {
    const conflicts = Array.from({ length: 8 }, (_, i) => ({ oid: i, className: i ? 'Account' : '', tid: 10 + i }))
    const error = new ConflictError(9, conflicts)
    expect([error.code, error.name, error.base]).to.deep.equal(['PERDURE_CONFLICT', 'ConflictError', 9])
    expect(error.conflicts).to.equal(conflicts)
    expect(error.message).to.contain('object 0 (changed by transaction 10)')
    expect(error.message).to.contain('Account 4 (changed by transaction 14) and 3 more')
    expect(error.message).not.to.contain('Account 5')
  })

  it('of damage names the file and the byte', () => {
    const error = new CorruptionError('/db', 512, 'the checksum differs', { details: { oid: 9 } })
    expect([error.code, error.path, error.offset]).to.deep.equal(['PERDURE_CORRUPTION', '/db', 512])
    expect(error.details).to.deep.equal({ oid: 9, path: '/db', offset: 512 })
    expect(error.message).to.equal('/db is damaged at byte 512: the checksum differs')
  })
})

describe('packError and unpackError', () => {
  it('bring an error out of a worker thread with its class, code, details and stack', async () => {
    const plain = unpackError(await fromWorker('plain'))
    expect([plain.code, plain.message]).to.deep.equal(['PERDURE_NO_SPACE', 'The disk is full.'])
    expect(plain.details).to.deep.equal({ path: '/db', oid: 7, pid: 3 })
    expect(plain.stack).to.contain('throwing-worker')

    const conflict = unpackError(await fromWorker('conflict'))
    expect(conflict).to.be.instanceOf(ConflictError)
    expect((conflict as ConflictError).base).to.equal(41)
    expect((conflict as ConflictError).conflicts).to.deep.equal([{ oid: 5, className: 'Account', tid: 42 }])

    const corruption = unpackError(await fromWorker('corruption'))
    expect(corruption).to.be.instanceOf(CorruptionError)
    expect(corruption.message).to.equal('/db is damaged at byte 512: the checksum differs')
    expect([(corruption as CorruptionError).path, (corruption as CorruptionError).offset]).to.deep.equal(['/db', 512])
    expect(corruption.details.oid).to.equal(9)
  })

  it('make PERDURE_THREAD of what was not thrown on purpose', async () => {
    for (const [name, text] of [
      ['foreign', 'TypeError in another thread: x is not a function'],
      ['text', 'just a text'],
      ['nothing', 'undefined'],
    ] as const) {
      const error = unpackError(await fromWorker(name))
      expect(error).to.be.instanceOf(PerdureError)
      expect(error.code).to.equal('PERDURE_THREAD')
      expect(error.message).to.contain(text)
    }
  })

  it('keep causes, and causes of causes, but not without end', () => {
    const deepest = new TypeError('deepest')
    const middle = new CorruptionError('/db', 7, 'flipped', { cause: deepest })
    const error = unpackError(packError(new PerdureError('PERDURE_IO', 'top', { cause: middle })))
    const cause = error.cause as CorruptionError
    expect(cause).to.be.instanceOf(CorruptionError)
    expect([cause.code, cause.path, cause.offset, cause.message]).to.deep.equal([
      'PERDURE_CORRUPTION',
      '/db',
      7,
      middle.message,
    ])
    expect(cause.cause).to.be.instanceOf(Error).and.to.include({ name: 'TypeError', message: 'deepest' })
    expect(Object.keys(error)).not.to.include('cause')

    const endless = new PerdureError('PERDURE_IO', 'again')
    endless.cause = endless
    let depth = 0
    for (let packed: PackedError | undefined = packError(endless); packed !== undefined; packed = packed.cause) depth++
    expect(depth).to.equal(5)
  })

  it('are inverses, through a structured clone and through JSON', () => {
    const details = fc.record({ oid: fc.maxSafeNat(), path: fc.string(), extra: fc.array(fc.nat()) })
    const conflict = fc.record({ oid: fc.maxSafeNat(), className: fc.string(), tid: fc.maxSafeNat() })
    const errors = fc.oneof(
      fc.tuple(fc.string(), details).map(([message, details]) => new PerdureError('PERDURE_IO', message, { details })),
      fc.tuple(fc.maxSafeNat(), fc.array(conflict)).map(([base, conflicts]) => new ConflictError(base, conflicts)),
      fc
        .tuple(fc.string(), fc.maxSafeNat(), fc.string())
        .map(([path, offset, what]) => new CorruptionError(path, offset, what)),
    )
    fc.assert(
      fc.property(errors, (error) => {
        for (const packed of [structuredClone(packError(error)), JSON.parse(JSON.stringify(packError(error)))]) {
          const back = unpackError(packed as PackedError)
          expect(Object.getPrototypeOf(back)).to.equal(Object.getPrototypeOf(error))
          expect(back.stack).to.equal(error.stack)
          expect([back.code, back.name, back.message]).to.deep.equal([error.code, error.name, error.message])
          expect({ ...back }).to.deep.equal({ ...error })
        }
      }),
    )
  })
})

describe('systemCode', () => {
  it('finds the code of an error of the system, and of nothing else', () => {
    expect(systemCode(Object.assign(new Error('no'), { code: 'ENOENT' }))).to.equal('ENOENT')
    for (const other of [undefined, null, 'ENOENT', new Error('no'), { code: 2 }]) {
      expect(systemCode(other)).to.equal(undefined)
    }
  })
})

async function fromWorker(name: string): Promise<PackedError> {
  const worker = new Worker(new URL('../support/throwing-worker.js', import.meta.url), { workerData: name })
  const [packed] = (await once(worker, 'message')) as [PackedError]
  await worker.terminate()
  return packed
}
