import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { encodeRecord } from '../../src/core/record.js'
import { Reference } from '../../src/core/reference.js'
import { open, PersistentList } from '../../src/index.js'
import { msgpack } from '../../src/serializers/index.js'
import { FileStorage } from '../../src/storages/file.js'
import { perdure, withoutSettings } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { PseudoTerminal } from '../support/pseudo-terminal.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

/** Enough that work on it takes its time, and little enough to be made fast. */
const OBJECTS = 100_000

const BIN = join(PACKAGE, 'bin/perdure.js')

describe('Long work of perdure', () => {
  let directory: TemporaryDirectory

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => directory.remove())

  /** A chain of objects. */
  async function makeFile(): Promise<void> {
    await using storage = await FileStorage.open(directory.join('a.perdure'), { durability: 'os' })
    const state = Uint8Array.from(msgpack.encode({ text: 'x'.repeat(90) }, { position: () => 0 }))
    const writes = Array.from({ length: OBJECTS }, (_, oid) => ({
      oid,
      data: encodeRecord('Link', oid + 1 < OBJECTS ? [new Reference(oid + 1, 'Link')] : [], state),
    }))
    await storage.commit({ base: 0, reads: [], writes })
  }

  /** Interrupts a command when it shows progress, if it is still there then; gives its exit code and its output. */
  async function interrupt(args: readonly string[], signal: NodeJS.Signals = 'SIGINT') {
    const child = spawn(process.execPath, [BIN, ...args], { cwd: directory.path, env: withoutSettings(process.env) })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
    child.stderr.once('data', () => child.kill(signal))
    child.stdin.end()
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stdout }
  }

  for (const args of [
    ['db', 'verify', 'a.perdure'],
    ['db', 'pack', 'a.perdure'],
    ['pack', 'a.perdure'],
    ['db', 'census', 'a.perdure', '--unreachable'],
    ['db', 'convert', 'a.perdure', 'b.perdure', '--serializer', 'devalue'],
  ]) {
    it(`is given up by Ctrl-C, and leaves nothing behind: perdure ${args.join(' ')}`, async () => {
      await makeFile()
      const before = readFileSync(directory.join('a.perdure'))
      const names = readdirSync(directory.path)
      let result = await interrupt(args)
      // It may have been done before the signal came.
      while (result.code === 0) {
        for (const name of readdirSync(directory.path)) if (!names.includes(name)) rmSync(directory.join(name))
        result = await interrupt(args)
      }
      expect(result).to.deep.equal({ code: 130, stdout: '' })
      expect(readdirSync(directory.path)).to.have.members(names)
      if (args.includes('verify')) expect(readFileSync(directory.join('a.perdure')).equals(before)).to.equal(true)
      await using storage = await FileStorage.open(directory.join('a.perdure'))
      expect(storage.statistics()).to.include({ objects: OBJECTS, tid: 1 })
    })
  }

  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    it(`is given up by ${signal}, too`, async () => {
      await makeFile()
      const names = readdirSync(directory.path)
      const args = ['db', 'convert', 'a.perdure', 'b.perdure', '--serializer', 'devalue']
      let result = await interrupt(args, signal)
      while (result.code === 0) {
        for (const name of readdirSync(directory.path)) if (!names.includes(name)) rmSync(directory.join(name))
        result = await interrupt(args, signal)
      }
      expect(result).to.deep.equal({ code, stdout: '' })
      expect(readdirSync(directory.path)).to.have.members(names)
    })
  }

  it('shows a bar on a terminal, and takes it away', async () => {
    const path = directory.join('a.perdure')
    {
      await using db = await open(path)
      await db.transact((root) => void root.set('list', new PersistentList(['x'])))
    }
    const env = { ...withoutSettings(process.env), TERM: 'xterm', NO_COLOR: '1' }
    const terminal = new PseudoTerminal(`'${process.execPath}' '${BIN}' db verify a.perdure`, {
      cwd: directory.path,
      env,
    })
    try {
      await terminal.see(/verifying [█░]{24} +\d+ %/)
      await terminal.see('2 objects')
      expect(await terminal.ended()).to.equal(0)
    } finally {
      terminal.kill()
    }
  })

  it('writes plain lines elsewhere, and none with --json', async () => {
    await (await open(directory.join('a.perdure'))).close()
    for (const diagnosis of ['census', 'largest', 'refs 0 --file']) {
      const told = await perdure(['db', ...diagnosis.split(' '), 'a.perdure'], { cwd: directory.path })
      expect(told).to.include({ code: 0, stderr: 'scan: 100 %\n' })
    }
    const lines = await perdure(['db', 'verify', 'a.perdure'], { cwd: directory.path })
    expect(lines.stderr).to.match(/^(verifying: \d+ %\n)+$/)
    expect(lines.stdout).to.match(/^1 object, .*sound\n$/)
    const json = await perdure(['db', 'verify', 'a.perdure', '--json'], { cwd: directory.path })
    expect(json.stderr).to.equal('')
  })

  it('writes plain lines on a terminal that cannot move back', async () => {
    await (await open(directory.join('a.perdure'))).close()
    const command = `'${process.execPath}' '${BIN}' db verify a.perdure`
    const env = { ...withoutSettings(process.env), TERM: 'dumb' }
    const terminal = new PseudoTerminal(command, { cwd: directory.path, env })
    try {
      await terminal.see(/^verifying: \d+ %\n/)
      expect(await terminal.ended()).to.equal(0)
    } finally {
      terminal.kill()
    }
  })
})
