import fc from 'fast-check'
import { MAX_ID } from '../../src/core/oid.js'
import type { CommitRequest } from '../../src/core/storage.js'
import { MAX_NOTE_BYTES, MAX_USER_BYTES, TOKEN_BYTES } from '../../src/journal/format.js'
import { checkCount, checkRequest } from '../../src/storages/check-request.js'
import { failure } from '../support/errors.js'

function request(oids: readonly number[], more: Partial<CommitRequest> = {}): CommitRequest {
  return { base: 1, reads: [], writes: oids.map((oid) => ({ oid, data: new Uint8Array(0) })), ...more }
}

describe('checkRequest', () => {
  it('lets through what can be asked', () => {
    checkRequest(request([]))
    checkRequest(request([0, 5, MAX_ID]))
    const remarks = { note: 'é'.repeat(MAX_NOTE_BYTES >> 1), user: 'x'.repeat(MAX_USER_BYTES) }
    checkRequest(request([1], { base: 0, reads: [3, 3], ...remarks, token: new Uint8Array(TOKEN_BYTES) }))
  })

  it('refuses what is no identifier, and remarks that are too long', async () => {
    for (const bad of [-1, 0.5, Number.NaN, MAX_ID + 1]) {
      await failure('PERDURE_ARGUMENT', () => checkRequest(request([1], { base: bad })))
      await failure('PERDURE_ARGUMENT', () => checkRequest(request([1], { reads: [1, bad] })))
      await failure('PERDURE_ARGUMENT', () => checkRequest(request([1, bad])))
    }
    await failure('PERDURE_LIMIT', () => checkRequest(request([], { note: 'é'.repeat((MAX_NOTE_BYTES >> 1) + 1) })))
    await failure('PERDURE_LIMIT', () => checkRequest(request([], { user: 'é'.repeat(MAX_USER_BYTES) })))
    await failure('PERDURE_ARGUMENT', () => checkRequest(request([], { token: new Uint8Array(TOKEN_BYTES - 1) })))
  })

  it('refuses an object that is written twice, in whatever order, and no other', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(50)), fc.nat(), fc.nat(), (oids, from, to) => {
        checkRequest(request(oids))
        if (oids.length === 0) return true
        const twice = oids.toSpliced(to % (oids.length + 1), 0, oids[from % oids.length] as number)
        try {
          checkRequest(request(twice))
        } catch (error) {
          return (error as { code?: string }).code === 'PERDURE_ARGUMENT'
        }
        return false
      }),
    )
  })
})

describe('checkCount', () => {
  it('takes whole numbers from 1', async () => {
    checkCount(1)
    checkCount(2 ** 40)
    for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await failure('PERDURE_ARGUMENT', () => checkCount(bad))
    }
  })
})
