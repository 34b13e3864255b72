import { existsSync, readFileSync, rmSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import type { PerdureError } from '../../src/core/errors.js'
import { type FileBinding, fileSystemOver, nodeFileSystem, type OpenFile } from '../../src/journal/journal-file.js'
import { Preallocation } from '../../src/journal/preallocation.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { rudeBinding } from '../support/rude-binding.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'
import { TestJournal } from '../support/test-journal.js'

describe('file seam', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => {
    directory.remove()
  })

  it('writes many buffers at a place, and reads them back up to the end of the file', () => {
    const file = nodeFileSystem.open(directory.join('a'), 'create')
    const buffers = Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i},`))
    file.write(buffers, 10)
    const text = buffers.join('')
    const read = Buffer.alloc(text.length + 100)
    expect(file.read(read, 0, read.length, 10)).to.equal(text.length)
    expect(read.toString('latin1', 0, text.length)).to.equal(text)
    expect(file.size()).to.equal(10 + text.length)
    file.truncate(3)
    expect(file.read(read, 0, 10, 2)).to.equal(1)
    file.close()
    file.close()
  })

  it('turns the errors of the system into errors with a code and the path', () => {
    const path = directory.join('none/a')
    expect(() => nodeFileSystem.open(path, 'read'))
      .to.throw(path)
      .with.property('code', 'PERDURE_NOT_FOUND')
    const existing = directory.join('a')
    nodeFileSystem.open(existing, 'create').close()
    expect(() => nodeFileSystem.open(existing, 'create'))
      .to.throw(existing)
      .with.property('code', 'PERDURE_IO')
    const full = nodeFileSystem.open('/dev/full', 'write')
    expect(() => full.write([Buffer.alloc(10)], 0))
      .to.throw('/dev/full')
      .with.property('code', 'PERDURE_NO_SPACE')
    full.close()
  })

  it('takes a file that is not there for removed', () => {
    nodeFileSystem.unlink(directory.join('none'))
    const path = directory.join('a')
    nodeFileSystem.open(path, 'create').close()
    nodeFileSystem.rename(path, directory.join('b'))
    nodeFileSystem.syncDirectory(path)
    expect([existsSync(path), nodeFileSystem.exists(directory.join('b'))]).to.deep.equal([false, true])
  })

  it('preallocates rarely, gives back what is not used, and does without', () => {
    const disk = new FaultyFileSystem()
    const path = directory.join('a')
    const file = disk.open(path, 'create')
    const preallocation = new Preallocation(file, 0)
    for (let end = 100; end < 1_000_000; end += 100) preallocation.prepare(end)
    expect(disk.count('truncate')).to.equal(1)
    preallocation.trim(50)
    expect(readFileSync(path)).to.deep.equal(Buffer.alloc(50))
    disk.fault = () => 'EFBIG'
    preallocation.prepare(100)
    file.close()
  })

  describe('over a system that interrupts and does half of it', () => {
    it('reads and writes everything all the same', () => {
      const chunks = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 })
      fc.assert(
        fc.property(chunks, fc.integer({ min: 1, max: 50 }), fc.nat(5), (buffers, most, rudeness) => {
          rmSync(directory.join('rude'), { force: true })
          let calls = 0
          const interrupt = () => (++calls % (rudeness + 1) < rudeness ? ['EINTR', 'EAGAIN'][calls % 2] : undefined)
          const file = fileSystemOver(rudeBinding(most, interrupt)).open(directory.join('rude'), 'create')
          file.write(buffers, 7)
          const expected = Buffer.concat([Buffer.alloc(buffers.some(({ length }) => length > 0) ? 7 : 0), ...buffers])
          const read = Buffer.alloc(expected.length + 10)
          expect(file.read(read, 3, expected.length + 5, 0)).to.equal(expected.length)
          expect(read.subarray(3, 3 + expected.length).equals(expected)).to.equal(true)
          expect(file.size()).to.equal(expected.length)
          closePatiently(file)
        }),
        { numRuns: 100 },
      )
    })

    /** A close that was interrupted is never repeated: the descriptor may belong to somebody else by then. */
    function closePatiently(file: OpenFile): void {
      try {
        file.close()
      } catch (error) {
        expect((error as PerdureError).details['system']).to.be.oneOf(['EINTR', 'EAGAIN'])
      }
    }

    it('gives up, instead of hanging, when it is interrupted for ever', () => {
      const path = directory.join('a')
      nodeFileSystem.open(path, 'create').close()
      for (const code of ['EINTR', 'EAGAIN']) {
        let patient = true
        let calls = 0
        const interrupt = () => {
          calls++
          return patient ? undefined : code
        }
        const file = fileSystemOver(rudeBinding(100, interrupt)).open(path, 'write')
        patient = false
        for (const act of [
          () => file.read(Buffer.alloc(1), 0, 1, 0),
          () => file.write([Buffer.alloc(1)], 0),
          () => file.truncate(1),
          () => file.size(),
        ]) {
          calls = 0
          expect(act).to.throw(path).with.nested.property('details.system', code)
          expect(calls).to.be.within(2, 1000)
        }
        patient = true
        file.close()
      }
    })

    it('never syncs a second time, not even after an interruption', () => {
      for (const code of ['EINTR', 'EAGAIN', 'EIO']) {
        let syncs = 0
        const interrupt = (call: keyof FileBinding) => {
          if (call !== 'fdatasyncSync' && call !== 'fsyncSync') return undefined
          syncs++
          return code
        }
        const fileSystem = fileSystemOver(rudeBinding(100, interrupt))
        const file = fileSystem.open(directory.join(code), 'create')
        expect(() => file.sync())
          .to.throw()
          .with.property('code', 'PERDURE_IO')
        expect(() => fileSystem.syncDirectory(directory.join(code)))
          .to.throw()
          .with.property('code', 'PERDURE_IO')
        expect(syncs).to.equal(2)
        file.close()
      }
    })

    it('takes a write of nothing for a failure', () => {
      const file = fileSystemOver(rudeBinding(0, () => undefined)).open(directory.join('a'), 'create')
      expect(() => file.write([Buffer.alloc(5)], 0))
        .to.throw()
        .with.property('code', 'PERDURE_IO')
      file.close()
    })

    it('closes a file once, also when that fails', () => {
      let closed = 0
      const interrupt = (call: keyof FileBinding) => {
        if (call !== 'closeSync') return undefined
        closed++
        return 'EIO'
      }
      const file = fileSystemOver(rudeBinding(100, interrupt)).open(directory.join('a'), 'create')
      expect(() => file.close())
        .to.throw()
        .with.property('code', 'PERDURE_IO')
      file.close()
      expect(closed).to.equal(1)
    })

    it('keeps a journal whole', () => {
      let calls = 0
      const interrupt = (call: keyof FileBinding) =>
        /read|write|truncate|stat/.test(call) && ++calls % 3 > 0 ? 'EINTR' : undefined
      const fileSystem = fileSystemOver(rudeBinding(37, interrupt))
      const path = directory.join('a.perdure')
      const journal = new TestJournal(path, fileSystem)
      for (let i = 0; i < 20; i++) journal.commit([[i % 5, `${i}`.repeat(50)]])
      journal.close()
      const again = new TestJournal(path)
      expect(again.loop.recovery).to.include({ checkpoint: 'used', cutAt: undefined })
      expect(again.texts(5)).to.deep.equal([15, 16, 17, 18, 19].map((i) => `${i}`.repeat(50)))
      again.close()
    })
  })
})
