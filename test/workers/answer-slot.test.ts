import { expect } from 'chai'
import { ANSWER_SLOT_BYTES, AnswerSlot } from '../../src/workers/answer-slot.js'

describe('AnswerSlot', () => {
  let client: AnswerSlot
  let coordinator: AnswerSlot

  beforeEach(() => {
    const memory = new SharedArrayBuffer(ANSWER_SLOT_BYTES)
    client = new AnswerSlot(memory)
    coordinator = new AnswerSlot(memory)
  })

  it('carries the answer to a client that looks', () => {
    client.expect()
    expect(coordinator.answer(2 ** 52 + 1)).to.equal(true)
    expect(client.take(1000)).to.equal(2 ** 52 + 1)
  })

  it('refuses an answer that nobody expects any more, so that it is sent as a message', () => {
    expect(coordinator.answer(1)).to.equal(false)
    client.expect()
    expect(client.take(0)).to.equal(undefined)
    expect(coordinator.answer(2)).to.equal(false)
  })

  it('carries one answer only, and is ready for the next', () => {
    client.expect()
    expect(coordinator.answer(1)).to.equal(true)
    expect(coordinator.answer(2)).to.equal(false)
    expect(client.take(0)).to.equal(1)
    client.expect()
    expect(coordinator.answer(3)).to.equal(true)
    expect(client.take(0)).to.equal(3)
  })
})
