import * as fs from 'node:fs'
import { expect } from 'chai'
import { type ImitationBinding, imitate } from '../../src/journal/imitate.js'
import { type FileBinding, fileSystemOver, nodeFileSystem } from '../../src/journal/journal-file.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

describe('A new file that is to be like another one', () => {
  let directory: TemporaryDirectory
  let model: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    model = directory.join('model')
    fs.writeFileSync(model, '')
  })

  afterEach(() => directory.remove())

  function made(): fs.Stats {
    const path = directory.join('new')
    nodeFileSystem.open(path, 'create', model).close()
    return fs.statSync(path)
  }

  for (const permissions of [0o600, 0o666, 0o640]) {
    it(`has its permissions (${permissions.toString(8)}), whatever the umask says`, () => {
      fs.chmodSync(model, permissions)
      const { mode, uid, gid } = made()
      expect((mode & 0o777).toString(8)).to.equal(permissions.toString(8))
      const like = fs.statSync(model)
      expect([uid, gid]).to.deep.equal([like.uid, like.gid])
    })
  }

  it('is made as any other if that does not exist', () => {
    const any = fs.statSync(model)
    fs.rmSync(model)
    expect(made().mode).to.equal(any.mode)
  })

  describe('on a system that', () => {
    /** What was done to a file of user and group 1 to make it like one of user and group 2. */
    function calls(allowed: Partial<Record<'uid' | 'gid' | 'mode', boolean>>) {
      const done: unknown[] = []
      const attempt = (isAllowed = false, ...call: unknown[]) => {
        if (!isAllowed) throw new Error('EPERM')
        done.push(call)
      }
      const binding = {
        fstatSync: () => ({ uid: 1, gid: 1, mode: 0o100_600 }),
        fchownSync: (_: number, uid: number, gid: number) =>
          attempt(uid === 2 ? allowed.uid : allowed.gid, 'chown', uid, gid),
        fchmodSync: (_: number, mode: number) => attempt(allowed.mode, 'chmod', mode.toString(8)),
      } as unknown as ImitationBinding
      imitate(binding, 0, { uid: 2, gid: 2, mode: 0o100_664 })
      return done
    }

    it('lets it be given away, has its owner and group', () => {
      const all = { uid: true, gid: true, mode: true }
      expect(calls(all)).to.deep.equal([
        ['chown', 2, 1],
        ['chown', -1, 2],
        ['chmod', '664'],
      ])
    })

    it('lets its group be changed, has its group', () => {
      expect(calls({ gid: true, mode: true })).to.deep.equal([
        ['chown', -1, 2],
        ['chmod', '664'],
      ])
    })

    it('lets neither be changed, gives another group nothing', () => {
      expect(calls({ mode: true })).to.deep.equal([['chmod', '604']])
    })

    it('interrupts, asks for another try', () => {
      let isInterrupted = true
      const binding = {
        fstatSync: fs.fstatSync,
        fchmodSync: (fd: number, mode: number) => {
          isInterrupted = !isInterrupted
          if (!isInterrupted) throw Object.assign(new Error('EINTR'), { code: 'EINTR' })
          fs.fchmodSync(fd, mode)
        },
      }
      fs.chmodSync(model, 0o640)
      fileSystemOver({ ...fs, ...binding } as FileBinding)
        .open(directory.join('new'), 'create', model)
        .close()
      expect(fs.statSync(directory.join('new')).mode & 0o777).to.equal(0o640)
    })

    it('knows of no permissions, is left as it is', () => {
      expect(calls({})).to.deep.equal([])
    })
  })
})
