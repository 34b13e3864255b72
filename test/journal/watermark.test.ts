import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { type FileSystem, nodeFileSystem, type OpenFile } from '../../src/journal/journal-file.js'
import { WatermarkReader, WatermarkWriter, watermarkPath } from '../../src/journal/watermark.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('watermark', () => {
  let directory: TemporaryDirectory
  let path: string
  const uuid = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
  const other = uuid.slice().reverse()

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('a.perdure')
  })

  afterEach(() => directory.remove())

  /** What a reader that comes now sees. */
  function seen(of = uuid): ReturnType<WatermarkReader['read']> {
    const reader = WatermarkReader.open(nodeFileSystem, path)
    try {
      return reader?.read(of)
    } finally {
      reader?.close()
    }
  }

  it('is there while a writer is, and tells the newest', () => {
    expect(WatermarkReader.open(nodeFileSystem, path)).to.equal(undefined)
    const writer = new WatermarkWriter(nodeFileSystem, path, uuid)
    expect(seen(), 'before the first publication').to.equal(undefined)
    for (const [end, durable] of [
      [128, 128],
      [2 ** 52, 2 ** 40 + 1],
    ] as const) {
      writer.publish(end, durable)
      expect(seen()).to.deep.equal({ end, durable, closed: false })
    }
    writer.close(2 ** 52 + 8)
    expect(existsSync(watermarkPath(path))).to.equal(false)
  })

  it('tells a reader that has it open that the writer has closed', () => {
    const writer = new WatermarkWriter(nodeFileSystem, path, uuid)
    writer.publish(128, 128)
    const reader = WatermarkReader.open(nodeFileSystem, path)
    writer.close(256)
    expect(reader?.read(uuid)).to.deep.equal({ end: 256, durable: 256, closed: true })
    reader?.close()
  })

  it('stays as it is when a writer is killed, and is used again by the next', () => {
    const writer = new WatermarkWriter(nodeFileSystem, path, uuid)
    writer.publish(256, 200)
    writer.abandon()
    const reader = WatermarkReader.open(nodeFileSystem, path)
    expect(reader?.read(uuid)).to.deep.equal({ end: 256, durable: 200, closed: false })
    const next = new WatermarkWriter(nodeFileSystem, path, uuid)
    next.publish(512, 512)
    expect(reader?.read(uuid), 'the same file').to.include({ end: 512 })
    reader?.close()
    next.close(512)
  })

  it('is not for another journal', () => {
    const writer = new WatermarkWriter(nodeFileSystem, path, uuid)
    writer.publish(256, 256)
    expect(seen(other)).to.equal(undefined)
    writer.abandon()
  })

  it('tells nothing, rather than something wrong, whatever is damaged or cut off', () => {
    const writer = new WatermarkWriter(nodeFileSystem, path, uuid)
    writer.publish(256, 200)
    writer.abandon()
    const file = watermarkPath(path)
    const whole = readFileSync(file)
    expect(whole).to.have.length(64)
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] as number) ^ (1 << (at % 8))
      writeFileSync(file, damaged)
      expect(seen(), `byte ${at}`).to.equal(undefined)
    }
    writeFileSync(file, whole)
    for (let size = 63; size >= 0; size--) {
      truncateSync(file, size)
      expect(seen(), `size ${size}`).to.equal(undefined)
    }
  })

  it('is read again while it is being changed, but not for ever', () => {
    const writer = new WatermarkWriter(nodeFileSystem, path, uuid)
    writer.publish(256, 256)
    const before = readFileSync(watermarkPath(path))
    writer.publish(512, 512)
    const after = readFileSync(watermarkPath(path))
    writer.abandon()
    let reads = 0
    /** A file of which the first half is new already, as often as is said. */
    const torn = (times: number): FileSystem => ({
      ...overriding(nodeFileSystem),
      open: (name, mode) => {
        const file: OpenFile = nodeFileSystem.open(name, mode)
        const read: OpenFile['read'] = (buffer) => {
          buffer.set(reads++ < times ? Buffer.concat([after.subarray(0, 32), before.subarray(32)]) : after)
          return 64
        }
        return { ...overriding(file), path: name, read }
      },
    })
    const read = (times: number) => {
      reads = 0
      const reader = WatermarkReader.open(torn(times), path)
      const found = reader?.read(uuid)
      reader?.close()
      return found
    }
    expect(read(3)).to.deep.equal({ end: 512, durable: 512, closed: false })
    expect(read(Number.POSITIVE_INFINITY)).to.equal(undefined)
    expect(reads).to.be.lessThan(1000)
  })

  it('passes on what the disk says', () => {
    const disk = new FaultyFileSystem()
    const writer = new WatermarkWriter(disk, path, uuid)
    disk.fault = () => 'ENOSPC'
    expect(() => writer.publish(256, 256))
      .to.throw()
      .with.property('code', 'PERDURE_NO_SPACE')
    writer.abandon()
  })

  it('is gone without an error when it is removed between the look and the opening', () => {
    const fileSystem: FileSystem = { ...overriding(nodeFileSystem), exists: () => true }
    expect(WatermarkReader.open(fileSystem, path)).to.equal(undefined)
  })
})

/** The methods of an object, to be spread into one that overrides some of them. */
function overriding<T extends object>(object: T): T {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter((name) => name !== 'constructor')
  return Object.fromEntries(
    names.map((name) => [
      name,
      (...args: unknown[]) => (object as Record<string, (...all: unknown[]) => unknown>)[name]?.(...args),
    ]),
  ) as T
}
