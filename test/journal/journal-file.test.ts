import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { nodeFileSystem } from '../../src/journal/journal-file.js'
import { Preallocation } from '../../src/journal/preallocation.js'
import { FaultyFileSystem } from '../support/faulty-file-system.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

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
})
