import { closeSync, copyFileSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { median, percentile, secondsOf } from '../statistics.mjs'
import { openPeer } from '../stores.mjs'

/** Commits measured while nothing else goes on. */
const IDLE_COMMITS = 2000

/** Traversals, each of a store that was just opened; the first is for the compiler. */
const PASSES = 3

export const pack = suite({
  title: 'Pack, half of the objects being garbage: objects that are kept',
  unit: 'objects/s',
  async figure(store) {
    let kept = 0
    const seconds = await secondsOf(async () => {
      kept = (await store.pack()).objectsAfter
    })
    return kept / seconds
  },
})

export const packCopy = suite({
  title: 'Pack, as a multiple of the time to copy and sync the file that it makes',
  unit: 'times',
  async figure(store, path) {
    const packing = await secondsOf(() => store.pack())
    await store.close()
    const copying = await secondsOf(() => copyAndSync(path, `${path}-copied`))
    rmSync(`${path}-copied`)
    return packing / copying
  },
})

export const packLatency = suite({
  title: 'p99 of a durable commit during a pack, as a multiple of that while nothing goes on',
  unit: 'times',
  async figure(store) {
    const { idle, during } = await latencies(store)
    return percentile(during, 99) / percentile(idle, 99)
  },
})

export const packStall = suite({
  title: 'Longest durable commit during a pack',
  unit: 'ms',
  figure: async (store) => Math.max(...(await latencies(store)).during),
})

export const packTraverse = suite({
  title: 'Cold traversal of what is kept, after a pack, as a multiple of the speed before',
  unit: 'times',
  async figure(store, path) {
    await store.close()
    const before = await traversal(path)
    const packed = await openPeer('perdure', path)
    await packed.pack()
    await packed.close()
    return before / (await traversal(path))
  },
})

/** @param figure is given an open store with garbage, which is closed afterwards, and its path */
function suite({ title, unit, figure }) {
  return {
    title,
    unit,
    peers: ['perdure'],
    needs: ({ objects }) => ({ objects, garbage: true, owner: 'garbage' }),

    async measure({ path }) {
      // A pack leaves no garbage for the next one.
      const copy = `${path}-packed`
      for (const suffix of ['', '.index']) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix)
      const store = await openPeer('perdure', copy)
      try {
        return await figure(store, copy)
      } finally {
        await store.close()
        for (const suffix of ['', '.index']) rmSync(copy + suffix, { force: true })
      }
    },
  }
}

/** How long commits of one object take, one after the other, in ms. */
async function latencies(store) {
  const [commit] = await store.committers(1)
  const timed = async () => 1000 * (await secondsOf(commit))
  for (let i = 0; i < IDLE_COMMITS; i++) await timed()
  const idle = []
  for (let i = 0; i < IDLE_COMMITS; i++) idle.push(await timed())
  const during = []
  let isPacking = true
  const pack = store.pack().finally(() => {
    isPacking = false
  })
  while (isPacking) during.push(await timed())
  await pack
  return { idle, during }
}

/** How long it takes to follow all references, in seconds. */
async function traversal(path) {
  const times = []
  for (let pass = 0; pass < PASSES; pass++) {
    const store = await openPeer('perdure', path)
    globalThis.gc()
    times.push(await secondsOf(() => store.sumByReference()))
    await store.close()
  }
  return median(times.slice(1))
}

function copyAndSync(from, to) {
  copyFileSync(from, to)
  const file = openSync(to, 'r+')
  fsyncSync(file)
  closeSync(file)
}
