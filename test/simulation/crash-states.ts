import type { Random } from './random.js'
import {
  applyChange,
  applyNameChange,
  type Change,
  type DiskImage,
  type Inode,
  type NameChange,
  type Names,
  type SimulatedDisk,
} from './simulated-disk.js'
import type { SparseBytes } from './sparse-bytes.js'

/*
 * The states in which a power cut can leave a disk. Everything that was synced is there. Of the rest, anything may
 * be: see "The disk" in docs/durability.md for each liberty that is taken here and what takes it in reality.
 */

/** The unit a disk writes: it is the largest that is never torn, and even that is not relied upon. */
const SECTOR_BYTES = 512

/** One state, and in words how it came about. */
export interface CrashState {
  readonly image: DiskImage
  readonly description: string
}

/** What of a list of pending changes reaches the disk. */
type Choice = 'none' | 'all' | 'prefix' | 'subset' | 'sectors'

const CHOICES: readonly Choice[] = ['none', 'all', 'prefix', 'prefix', 'subset', 'sectors', 'sectors']

/** The two extremes, and then `count` states at random. */
export function* crashStates(disk: SimulatedDisk, random: Random, count: number): Generator<CrashState> {
  yield { image: disk.afterWorstPowerCut(), description: 'nothing that was not synced' }
  yield { image: disk.afterKill(), description: 'everything that was written' }
  for (let i = 0; i < count; i++) yield new Draw(disk, random).state()
}

/** One state at random. */
class Draw {
  readonly #disk: SimulatedDisk
  readonly #random: Random
  readonly #words: string[] = []

  constructor(disk: SimulatedDisk, random: Random) {
    this.#disk = disk
    this.#random = random
  }

  state(): CrashState {
    const contents = new Map<Inode, SparseBytes>()
    const image = new Map<string, SparseBytes>()
    for (const [name, inode] of this.#names()) {
      const content = contents.get(inode) ?? this.#content(name, inode)
      contents.set(inode, content)
      image.set(name, content)
    }
    return { image, description: this.#words.join('; ') || 'nothing was pending' }
  }

  /** Names are changed by the file system's own journal, in order; file systems without one know no order. */
  #names(): Names {
    const pending = this.#disk.pendingNames
    const names = new Map(this.#disk.durableNames)
    if (pending.length === 0) return names
    const choice = this.#random.pick<Choice>(['none', 'all', 'prefix', 'subset'])
    const kept = this.#choose(pending, choice)
    for (const change of kept) applyNameChange(names, change)
    this.#words.push(`names: ${kept.map(describeNameChange).join(', ') || 'none'} of ${pending.length}`)
    return names
  }

  #choose<T>(items: readonly T[], choice: Choice): readonly T[] {
    switch (choice) {
      case 'none':
        return []
      case 'prefix':
        return items.slice(0, this.#random.below(items.length + 1))
      case 'subset':
        return items.filter(() => this.#random.chance(0.5))
      default:
        return items
    }
  }

  #content(name: string, inode: Inode): SparseBytes {
    const content = inode.durable.clone()
    const { pending } = inode
    if (pending.length === 0) return content
    const choice = this.#random.pick(CHOICES)
    const kept = this.#torn(choice === 'sectors' ? this.#sectors(pending) : this.#choose(pending, choice))
    if (this.#random.chance(0.1)) this.#soil(content, inode)
    for (const change of kept) applyChange(content, change)
    this.#words.push(`${name}: ${choice}: ${kept.map(describeChange).join(', ') || 'none'} of ${pending.length}`)
    if (this.#random.chance(0.3)) this.#resize(name, content, inode)
    return content
  }

  /** Each sector of each write for itself. Where writes overlap, any of them may be the last to arrive. */
  #sectors(pending: readonly Change[]): Change[] {
    const kept = pending.flatMap(intoSectors).filter(() => this.#random.chance(0.5))
    return kept.map((change) => (this.#random.chance(0.1) ? this.#half(change) : change))
  }

  /** Some states end with a write that got only so far, or of which only the end arrived. */
  #torn(changes: readonly Change[]): Change[] {
    const last = changes.at(-1)
    if (last === undefined || this.#random.chance(0.3)) return [...changes]
    return [...changes.slice(0, -1), this.#half(last)]
  }

  /** A part of a write, up to any byte or from there on. */
  #half(change: Change): Change {
    if (change.type !== 'write' || change.bytes.length < 2) return change
    const { type, position, bytes } = change
    const at = this.#random.between(1, bytes.length - 1)
    return this.#random.chance(0.8)
      ? { type, position, bytes: bytes.subarray(0, at) }
      : { type, position: position + at, bytes: bytes.subarray(at) }
  }

  /** Where a file has grown, blocks that were not written may show what some other file had left there. */
  #soil(content: SparseBytes, { durable, pending }: Inode): void {
    for (const change of pending) {
      if (change.type !== 'write') continue
      const from = Math.max(change.position, durable.size)
      const length = change.position + change.bytes.length - from
      if (length > 0) content.write(this.#random.bytes(length), from)
    }
    this.#words.push('old blocks where the file grew')
  }

  /** The size is kept apart from the data: it may be that of any moment since the last sync. */
  #resize(name: string, content: SparseBytes, { durable, pending }: Inode): void {
    const sizes = [durable.size]
    for (const change of pending) sizes.push(sizeAfter(change, sizes.at(-1) as number))
    const size = this.#random.pick(sizes)
    content.resize(size)
    this.#words.push(`${name}: size ${size}`)
  }
}

function sizeAfter(change: Change, before: number): number {
  return change.type === 'truncate' ? change.size : Math.max(before, change.position + change.bytes.length)
}

/** A write as the disk sees it: one piece for each sector it touches. */
function intoSectors(change: Change): Change[] {
  if (change.type === 'truncate') return [change]
  const pieces: Change[] = []
  const end = change.position + change.bytes.length
  for (let at = change.position; at < end; ) {
    const next = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES)
    pieces.push({
      type: 'write',
      position: at,
      bytes: change.bytes.subarray(at - change.position, next - change.position),
    })
    at = next
  }
  return pieces
}

function describeChange(change: Change): string {
  if (change.type === 'truncate') return `truncate ${change.size}`
  return `write ${change.position}+${change.bytes.length}`
}

function describeNameChange({ removes, sets }: NameChange): string {
  return `${removes === undefined ? '' : `-${removes}`}${sets === undefined ? '' : `+${sets.name}`}`
}
