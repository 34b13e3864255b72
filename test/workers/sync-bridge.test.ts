import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { PerdureError } from '../../src/core/errors.js'
import { type BridgePatience, type BridgeStarter, SyncBridge } from '../../src/workers/sync-bridge.js'
import type { BridgeOrder } from '../support/bridge-thread.js'
import { failure } from '../support/errors.js'

const LONG_MS = 20_000

describe('SyncBridge', () => {
  let bridge: SyncBridge<BridgeOrder, number>
  let worker: Worker
  let heard: number[]
  let ended: PerdureError | undefined

  function start(patience?: BridgePatience): void {
    const starter: BridgeStarter = (workerData, transferList) => {
      worker = new Worker(new URL('../support/bridge-thread.js', import.meta.url), {
        workerData,
        transferList,
        // What is thrown on purpose is not to be seen.
        stderr: true,
      })
      return worker
    }
    const listener = {
      receive: (number: number) => void heard.push(number),
      ended: (error: PerdureError) => {
        ended = error
      },
    }
    bridge = new SyncBridge(starter, {}, 'there', listener, patience)
  }

  beforeEach(() => {
    heard = []
    ended = undefined
    start()
  })

  afterEach(async () => {
    await worker.terminate()
    await bridge.end({ number: 0, act: 'close' })
  })

  it('answers a thread that waits, and one that does not, in the order of the questions', async () => {
    for (let number = 1; number <= 10; number++) bridge.post({ number })
    expect(bridge.wait(() => heard.length >= 5, LONG_MS)).to.equal(true)
    const early = heard.length
    bridge.post({ number: 11 })
    bridge.hold(true)
    while (heard.length < 11) await new Promise((resolve) => setImmediate(resolve))
    bridge.hold(false)
    expect(heard).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(early).to.be.at.least(5)
  })

  it('wakes a thread that sleeps, and lets it go on after its limit', () => {
    bridge.post({ number: 1, afterMs: 50 })
    expect(bridge.wait(() => heard.length === 1, LONG_MS)).to.equal(true)
    expect(bridge.wait(() => heard.length === 2, 30)).to.equal(false)
  })

  for (const act of ['exit', 'throw', 'close'] as const) {
    it(`tells a thread that waits when its own has ended (${act})`, async () => {
      bridge.post({ number: 1 })
      bridge.post({ number: 2, act })
      await failure('PERDURE_THREAD', () => bridge.wait(() => heard.length === 2, LONG_MS))
      expect(heard, 'what was sent before is heard').to.deep.equal([1])
      expect(ended?.code).to.equal('PERDURE_THREAD')
      await failure('PERDURE_THREAD', () => bridge.wait(() => false, LONG_MS))
    })
  }

  it('tells when its thread has ended while nobody waited', async () => {
    await worker.terminate()
    expect(ended).to.be.instanceOf(PerdureError)
    await failure('PERDURE_THREAD', () => bridge.wait(() => false, LONG_MS))
  })

  it('gives up a thread that gives no sign of life, and no other', async () => {
    await bridge.end({ number: 0, act: 'close' })
    start({ probeMs: 20, probes: 50 })
    bridge.post({ number: 1, afterMs: 1500 })
    expect(bridge.wait(() => heard.length === 1, LONG_MS)).to.equal(true)
    bridge.post({ number: 2, act: 'spin' })
    await failure('PERDURE_THREAD', () => bridge.wait(() => heard.length === 2, LONG_MS))
  })

  it('says nothing of an end that was asked for', async () => {
    await bridge.end({ number: 0, act: 'close' })
    expect(ended).to.equal(undefined)
  })
})
