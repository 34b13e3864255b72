import { expect } from 'chai'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import {
  flipBit,
  judge,
  judgePack,
  makePackedDatabase,
  makeSmallDatabase,
  replaceFile,
  type Verdict,
} from './damage.js'
import type { Engine } from './engine.js'
import type { Oracle } from './oracle.js'
import { engineWithBugs } from './planted-bug.js'
import type { DiskImage } from './simulated-disk.js'
import { PATH } from './workload.js'

const INDEX = `${PATH}.index`
const LIVE = `${PATH}.live`

/** Of a checkpoint every bit is flipped up to here; behind it are zeros, of which a few must do. */
const CHECKPOINT_BITS = 8 * 512
const CHECKPOINT_STRIDE = 8 * 8 + 1

const small = makeSmallDatabase()
const { closed, killed, ends } = small
const newest = small.oracle.newest

/** Each way in which the files can lie beside one another. */
const SETTINGS: readonly { readonly name: string; readonly image: DiskImage }[] = [
  { name: 'with its checkpoint', image: closed },
  { name: 'without its checkpoint', image: replaceFile(closed, INDEX, undefined) },
  { name: 'left by a killed process', image: killed },
  { name: 'left by a killed process, without its watermark', image: replaceFile(killed, LIVE, undefined) },
]

function contentOf(image: DiskImage, path: string): Buffer {
  const content = image.get(path)
  if (content === undefined) throw new Error(`There is no ${path}.`)
  return content.toBuffer()
}

/** Counts verdicts, and checks each. */
class Tally {
  readonly #counts = new Map<string, number>()

  add(verdict: Verdict, isAllowed: (tid: number) => boolean, what: string, newest: number): void {
    const word = 'error' in verdict ? verdict.error : verdict.tid === newest ? 'whole' : 'an earlier state'
    this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1)
    if ('tid' in verdict && !isAllowed(verdict.tid)) throw new Error(`${what}: opens at transaction ${verdict.tid}.`)
  }

  count(word: string): number {
    return this.#counts.get(word) ?? 0
  }

  print(): void {
    console.log(`      ${[...this.#counts].map(([word, count]) => `${word}: ${count}`).join(', ')}`)
  }
}

/** Runs `damage` over every variant, opened for writing and readonly. */
function judgeAll(
  damage: Iterable<{ image: DiskImage; what: string }>,
  isAllowed: (tid: number) => boolean,
  oracle: Oracle = small.oracle,
): Tally {
  const tally = new Tally()
  for (const { image, what } of damage) {
    for (const readonly of [false, true]) tally.add(judge(image, oracle, readonly), isAllowed, what, oracle.newest)
  }
  tally.print()
  return tally
}

function* flips(image: DiskImage, path: string, bits: Iterable<number>) {
  const bytes = contentOf(image, path)
  for (const bit of bits) yield { image: replaceFile(image, path, flipBit(bytes, bit)), what: `bit ${bit} of ${path}` }
}

function* truncations(image: DiskImage, path: string, step: number) {
  const bytes = contentOf(image, path)
  for (let size = 0; size < bytes.length; size += step) {
    yield { image: replaceFile(image, path, bytes.subarray(0, size)), what: `${path} cut off at ${size}` }
  }
}

function* allBits(bytes: Uint8Array, all = Number.POSITIVE_INFINITY, stride = 1) {
  for (let bit = 0; bit < bytes.length * 8; bit += bit < all ? 1 : stride) yield bit
}

describe('A damaged file', function () {
  this.timeout(120_000)

  for (const { name, image } of SETTINGS) {
    it(`${name}: any bit of the journal flipped`, () => {
      const bits = allBits(contentOf(image, PATH))
      const tally = judgeAll(flips(image, PATH, bits), (tid) => tid >= newest - 1)
      expect(tally.count('PERDURE_CORRUPTION')).to.be.greaterThan(0)
    })

    it(`${name}: the journal cut off at any byte`, () => {
      // The sidecar files prove what must be there. Without them, a file that is cut off cannot be told from a copy
      // that was made earlier, and is read as far as it goes.
      const proven = image.has(INDEX) || image.has(LIVE)
      const size = ends.at(-1) as number
      for (const { image: damaged, what } of truncations(image, PATH, 1)) {
        const kept = contentOf(damaged, PATH).length
        const whole = ends.filter((end) => end <= kept).length - 1
        const isAllowed = (tid: number) => tid === whole && (!proven || kept >= size)
        const tally = new Tally()
        for (const readonly of [false, true]) tally.add(judge(damaged, small.oracle, readonly), isAllowed, what, newest)
      }
    })
  }

  it('made by a pack: any bit of the journal flipped, and cut off at any byte', () => {
    const packed = makePackedDatabase()
    const { newest, historyFrom } = packed.oracle
    expect(historyFrom).to.equal(3)
    for (const image of [packed.closed, replaceFile(packed.closed, INDEX, undefined), packed.killed]) {
      const isAllowed = (tid: number) => tid >= newest - 1
      const tally = judgeAll(flips(image, PATH, allBits(contentOf(image, PATH))), isAllowed, packed.oracle)
      expect(tally.count('PERDURE_CORRUPTION')).to.be.greaterThan(0)
    }
    // Without the sidecar files it is taken for an earlier copy, but never without its base.
    const copy = replaceFile(packed.closed, INDEX, undefined)
    const cut = judgeAll(truncations(copy, PATH, 1), (tid) => tid >= historyFrom, packed.oracle)
    expect(cut.count('an earlier state')).to.be.greaterThan(0)
  })

  it('does no harm if it is the checkpoint, whatever has happened to it', () => {
    const bytes = contentOf(closed, INDEX)
    const isWhole = (tid: number) => tid === newest
    const flipped = judgeAll(flips(closed, INDEX, allBits(bytes, CHECKPOINT_BITS, CHECKPOINT_STRIDE)), isWhole)
    const cut = judgeAll(truncations(closed, INDEX, 5), isWhole)
    expect(flipped.count('PERDURE_CORRUPTION') + cut.count('PERDURE_CORRUPTION')).to.equal(0)
  })

  it('does no harm if it is the watermark, whatever has happened to it', () => {
    const isWhole = (tid: number) => tid === newest
    const flipped = judgeAll(flips(killed, LIVE, allBits(contentOf(killed, LIVE))), isWhole)
    const cut = judgeAll(truncations(killed, LIVE, 1), isWhole)
    expect(flipped.count('PERDURE_CORRUPTION') + cut.count('PERDURE_CORRUPTION')).to.equal(0)
  })

  it('is not packed if what is kept is damaged, and can be read if it was packed', async () => {
    const { tally, finding } = await packDamaged()
    expect(finding).to.equal(undefined)
    tally.print()
    expect(tally.count('PERDURE_CORRUPTION')).to.be.greaterThan(100)
    expect(tally.count('whole'), 'only older versions are damaged').to.be.greaterThan(100)
  })

  it('would be packed, and found too late, if the checksums of records were not verified', async () => {
    const directory = new TemporaryDirectory()
    try {
      const bug = { file: 'journal/kept-record.js', find: /\|\| !recordIsIntact\([^)]*\)/, replace: '' }
      const { finding } = await packDamaged(await engineWithBugs(directory.path, [bug]))
      expect(finding).to.match(/is not what was stored/)
    } finally {
      directory.remove()
    }
  })
})

/** Packs the database with one bit flipped in each byte of the journal, until something is wrong. */
async function packDamaged(engine?: Engine): Promise<{ tally: Tally; finding: string | undefined }> {
  const tally = new Tally()
  const bits = Array.from(contentOf(closed, PATH), (_, byte) => byte * 8 + (byte % 8))
  for (const { image, what } of flips(closed, PATH, bits)) {
    try {
      tally.add(await judgePack(image, small.oracle, engine), (tid) => tid >= newest - 1, what, newest)
    } catch (error) {
      return { tally, finding: `${what}: ${String(error)}` }
    }
  }
  return { tally, finding: undefined }
}
