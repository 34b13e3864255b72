import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const RESERVING_PROCESS = fileURLToPath(new URL('../support/reserving-process.js', import.meta.url))

describe('The address space of the oid index', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  /** What the process says when it may use so many KiB of addresses. */
  async function run(limit: number | 'unlimited'): Promise<number[]> {
    const script = `ulimit -v ${limit} && exec "$0" "$@"`
    const args = ['-c', script, process.execPath, RESERVING_PROCESS, directory.join(`${limit}.perdure`)]
    const { stdout } = await promisify(execFile)('sh', args)
    return stdout.trim().split(' ').map(Number)
  }

  it('leaves room for threads where it is limited, and the storage works all the same', async () => {
    const [unlimited, eight, four] = await Promise.all([run('unlimited'), run(8_000_000), run(4_000_000)])
    expect(unlimited).to.deep.equal([29, 1, 7])
    const bits = [eight, four].map((said) => said?.[0] as number)
    expect(bits[0]).to.be.within(17, 28)
    expect(bits[1]).to.be.within(16, (bits[0] as number) - 1)
    for (const said of [eight, four]) expect(said?.slice(1)).to.deep.equal([1, 7])
  })
})
