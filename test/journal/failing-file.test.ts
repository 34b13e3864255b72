import { expect } from 'chai'
import { FailingFile } from '../../src/journal/failing-file.js'
import { fileError, type OpenFile } from '../../src/journal/journal-file.js'

/** A file of 20,000 bytes on a disk that cannot read some of them. */
function fileWithout(from: number, to: number, code = 'EIO'): OpenFile {
  const content = Buffer.from(Array.from({ length: 20_000 }, (_, i) => 1 + (i % 251)))
  const unused = () => {
    throw new Error('must not be called')
  }
  return {
    path: '/disk/file',
    read(buffer, offset, length, position) {
      const end = Math.min(content.length, position + length)
      if (position < to && end > from) throw fileError(Object.assign(new Error(code), { code }), '/disk/file', 'read')
      return content.copy(buffer, offset, position, end)
    },
    size: () => content.length,
    close: () => {},
    closeLater: unused,
    write: unused,
    sync: unused,
    truncate: unused,
  }
}

describe('FailingFile', () => {
  it('gives zeros for the sectors that cannot be read, and everything else', () => {
    const file = new FailingFile(fileWithout(5000, 5001))
    const bytes = Buffer.alloc(20_100, 255)
    expect(file.read(bytes, 50, 20_050, 0)).to.equal(20_000)
    const expected = Buffer.alloc(20_100, 255)
    fileWithout(0, 0).read(expected, 50, 20_000, 0)
    expected.fill(0, 50 + 4096, 50 + 8192)
    expect(bytes.equals(expected)).to.equal(true)
    expect(file.unreadableBytes).to.equal(4096)
    file.read(bytes, 0, 100, 4990)
    expect(file.unreadableBytes, 'counted once').to.equal(4096)
  })

  it('passes other errors on, and writes nothing', () => {
    const file = new FailingFile(fileWithout(0, 20_000, 'EACCES'))
    expect(() => file.read(Buffer.alloc(10), 0, 10, 0))
      .to.throw()
      .with.property('code', 'PERDURE_PERMISSION')
    for (const write of [() => file.write(), () => file.sync(), () => file.truncate()]) {
      expect(write).to.throw().with.property('code', 'PERDURE_READONLY')
    }
  })
})
