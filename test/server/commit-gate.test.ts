import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import { CommitGate } from '../../src/server/commit-gate.js'

/** Work that goes on until it is told to end. */
class Work {
  started = false
  end: () => void = () => {}
  readonly #ended = new Promise<void>((resolve) => {
    this.end = resolve
  })

  readonly run = async () => {
    this.started = true
    await this.#ended
  }
}

describe('CommitGate', () => {
  it('calls a commit at once while nobody is alone', async () => {
    const gate = new CommitGate()
    const [first, second] = [new Work(), new Work()]
    const done = [gate.together(first.run), gate.together(second.run)]
    expect([first.started, second.started, gate.inside]).to.deep.equal([true, true, 2])
    first.end()
    second.end()
    await Promise.all(done)
    expect(gate.inside).to.equal(0)
  })

  it('waits for the commits under way before somebody is alone, and keeps the order of arrival', async () => {
    const gate = new CommitGate()
    const [before, alone, after, last] = [new Work(), new Work(), new Work(), new Work()]
    const done = [gate.together(before.run), gate.alone(alone.run), gate.together(after.run), gate.alone(last.run)]
    await nextTurn()
    expect([alone.started, after.started, gate.waiting]).to.deep.equal([false, false, 3])
    before.end()
    await nextTurn()
    expect([alone.started, after.started, gate.inside]).to.deep.equal([true, false, 1])
    alone.end()
    await nextTurn()
    expect([after.started, last.started]).to.deep.equal([true, false])
    after.end()
    await nextTurn()
    expect(last.started).to.equal(true)
    last.end()
    await Promise.all(done)
    expect([gate.inside, gate.waiting]).to.deep.equal([0, 0])
  })

  it('lets in all that wait together', async () => {
    const gate = new CommitGate()
    const [alone, first, second] = [new Work(), new Work(), new Work()]
    const done = [gate.alone(alone.run), gate.together(first.run), gate.together(second.run)]
    alone.end()
    await nextTurn()
    expect([first.started, second.started, gate.inside]).to.deep.equal([true, true, 2])
    first.end()
    second.end()
    await Promise.all(done)
  })

  it('opens again when the work fails', async () => {
    const gate = new CommitGate()
    const fail = async () => {
      throw new Error('no')
    }
    for (const enter of [gate.alone.bind(gate), gate.together.bind(gate)]) {
      const reason = await enter(fail).catch((error: Error) => error.message)
      expect([reason, gate.inside]).to.deep.equal(['no', 0])
    }
  })

  it('lets one give up waiting, and those behind him go on', async () => {
    const gate = new CommitGate()
    const [first, behind] = [new Work(), new Work()]
    const giveUp = new AbortController()
    const done = [gate.together(first.run)]
    const waiting = gate.alone(first.run, giveUp.signal).catch((error: Error) => error.message)
    done.push(gate.together(behind.run))
    expect(behind.started).to.equal(false)
    giveUp.abort(new Error('gone'))
    expect(await waiting).to.equal('gone')
    await nextTurn()
    expect([behind.started, gate.waiting]).to.deep.equal([true, 0])
    first.end()
    behind.end()
    await Promise.all(done)
    const late = await gate.alone(first.run, AbortSignal.abort(new Error('late'))).catch(() => 'refused')
    expect([late, gate.inside]).to.deep.equal([undefined, 0])
  })
})
