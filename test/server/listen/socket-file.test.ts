import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { expect } from 'chai'
import { SocketFile } from '../../../src/server/listen/socket-file.js'
import { failure } from '../../support/errors.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

const PRIVATE = { umask: 0o077 }

describe('A socket file', () => {
  let directory: TemporaryDirectory
  let path: string
  let servers: Server[]

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('socket')
    servers = []
  })

  afterEach(() => {
    for (const server of servers) server.close()
    directory.remove()
  })

  /** A server that greets with its name. */
  function greeter(name: string): Server {
    const server = createServer((socket) => socket.on('error', () => {}).end(name))
    servers.push(server)
    return server
  }

  async function greeting(): Promise<string> {
    const socket = connect(path)
    const [data] = await once(socket, 'data')
    return String(data)
  }

  for (const [umask, mode] of [
    [0o077, 0o700],
    [0o177, 0o600],
    [0o117, 0o660],
    [0, 0o777],
  ] as const) {
    it(`has mode ${mode.toString(8)} with umask ${umask.toString(8)}, whatever that of the process is`, async () => {
      for (const own of ['0000', '0077']) {
        const before = process.umask(own)
        try {
          const file = await SocketFile.listen(greeter('one'), path, { umask })
          expect(statSync(path).mode & 0o777).to.equal(mode)
          expect(process.umask()).to.equal(Number.parseInt(own, 8))
          file.remove()
        } finally {
          process.umask(before)
        }
      }
    })
  }

  it('does not end the process when the system has no descriptor left for a connection', async () => {
    const server = greeter('one')
    const file = await SocketFile.listen(server, path, PRIVATE)
    // What Node does then, which cannot be brought about here without harm to others.
    server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }))
    expect(await greeting()).to.equal('one')
    file.remove()
  })

  it('is the only trace of a server, and goes with it', async () => {
    const server = greeter('one')
    const file = await SocketFile.listen(server, path, PRIVATE)
    expect(readdirSync(directory.path)).to.deep.equal(['socket'])
    expect(await greeting()).to.equal('one')
    server.close()
    file.remove()
    file.remove()
    expect(readdirSync(directory.path)).to.deep.equal([])
  })

  it('belongs to whom it should', async () => {
    // Only root may give files away; others can merely give them to themselves.
    const [uid, gid] = process.getuid?.() === 0 ? [1234, 5678] : [process.getuid?.(), process.getgid?.()]
    await SocketFile.listen(greeter('one'), path, { ...PRIVATE, uid, gid })
    expect(statSync(path)).to.include({ uid, gid })
  })

  it('is not taken from a server that lives', async () => {
    await SocketFile.listen(greeter('one'), path, PRIVATE)
    const error = await failure('PERDURE_LOCKED', () => SocketFile.listen(greeter('two'), path, PRIVATE))
    expect(error.details.path).to.equal(path)
    expect(await greeting()).to.equal('one')
    expect(readdirSync(directory.path)).to.deep.equal(['socket'])
  })

  it('is taken from a process that was killed', async () => {
    const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('ready'))`
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(existsSync(path)).to.equal(true)
    await SocketFile.listen(greeter('two'), path, PRIVATE)
    expect(await greeting()).to.equal('two')
    expect(readdirSync(directory.path)).to.deep.equal(['socket'])
  })

  it('goes to one of several servers that start at once over a dead one', async () => {
    for (let round = 0; round < 20; round++) {
      const dead = greeter('dead')
      const left = await SocketFile.listen(dead, path, PRIVATE)
      await new Promise((resolve) => dead.close(resolve))
      expect(existsSync(left.path)).to.equal(true)
      const outcomes = await Promise.allSettled(
        ['a', 'b', 'c', 'd'].map((name) => SocketFile.listen(greeter(name), path, PRIVATE)),
      )
      const winners = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? ['abcd'[i]] : []))
      expect(winners).to.have.length(1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).to.include({ code: 'PERDURE_LOCKED' })
      }
      expect(await greeting()).to.equal(winners[0])
      expect(readdirSync(directory.path)).to.deep.equal(['socket'])
      for (const server of servers) server.close()
      for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value.remove()
    }
  })

  it('is left alone when it is another server’s by now', async () => {
    const file = await SocketFile.listen(greeter('one'), path, PRIVATE)
    renameSync(path, directory.join('away'))
    await SocketFile.listen(greeter('two'), path, PRIVATE)
    file.remove()
    expect(await greeting()).to.equal('two')
  })

  it('replaces nothing that is no socket', async () => {
    writeFileSync(path, 'precious')
    await failure('PERDURE_ARGUMENT', () => SocketFile.listen(greeter('one'), path, PRIVATE))
    mkdirSync(directory.join('folder'))
    await failure('PERDURE_ARGUMENT', () => SocketFile.listen(greeter('one'), directory.join('folder'), PRIVATE))
    await failure('PERDURE_NOT_FOUND', () => SocketFile.listen(greeter('one'), directory.join('no/socket'), PRIVATE))
    expect(readdirSync(directory.path)).to.have.members(['folder', 'socket'])
    expect(execFileSync('cat', [path], { encoding: 'utf8' })).to.equal('precious')
  })
})
