import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { withoutSettings } from '../support/command-line.js'
import { PACKAGE } from '../support/documented-programs.js'
import { PseudoTerminal } from '../support/pseudo-terminal.js'
import { TemporaryDirectory } from '../support/temporary-directory.js'

const BIN = `'${process.execPath}' '${join(PACKAGE, 'bin/perdure.js')}'`

/** What the README tells newcomers to do, on terminals, with nobody's settings. */
describe("A newcomer's first hour", () => {
  let directory: TemporaryDirectory
  const terminals: PseudoTerminal[] = []

  beforeEach(() => {
    directory = new TemporaryDirectory()
  })

  afterEach(() => {
    for (const terminal of terminals.splice(0)) terminal.kill()
    // Of a test that has failed: a server does not end with its terminal.
    for (const pid of servers()) process.kill(pid, 'SIGKILL')
    directory.remove()
  })

  /** What servers that run have said of themselves; see src/cli/daemon/run-files.ts. */
  function servers(): number[] {
    const names = existsSync(directory.join('perdure')) ? readdirSync(directory.join('perdure')) : []
    return names.filter((name) => name.endsWith('.json')).map((name) => Number.parseInt(name, 10))
  }

  function run(command: string): PseudoTerminal {
    const env = {
      ...withoutSettings(process.env),
      XDG_RUNTIME_DIR: directory.path,
      PERDURE_HISTORY: '',
      TERM: 'xterm',
      NO_COLOR: '1',
    }
    const terminal = new PseudoTerminal(`${BIN} ${command}`, { cwd: directory.path, env })
    terminals.push(terminal)
    return terminal
  }

  async function server(options: string): Promise<{ readonly terminal: PseudoTerminal; readonly url: string }> {
    const terminal = run(`db start --port 0 --log-level silent ${options}`)
    const shown = await terminal.see(/connect with: perdure db client perdure:\/\/127\.0\.0\.1:\d+\n/)
    return { terminal, url: /perdure:\/\/\S+/.exec(shown)?.[0] as string }
  }

  async function client(target: string): Promise<PseudoTerminal> {
    const terminal = run(`db client ${target}`)
    await terminal.see('perdure> ')
    return terminal
  }

  async function type(terminal: PseudoTerminal, line: string, answer: string | RegExp): Promise<void> {
    terminal.type(`${line}\r`)
    await terminal.see(answer)
    await terminal.see('perdure> ')
  }

  it('starts a server, works with it from two clients, stops it, and goes on with a file', async () => {
    // A temporary database: one client commits, the other one sees it after abort().
    const first = await server('')
    const ada = await client(first.url)
    const bob = await client(first.url)
    await type(bob, "root.has('greeting')", /\nfalse\n/)
    await type(ada, "root.set('greeting', 'hello from ada')", 'PersistentMap #0(1)')
    await type(bob, "abort(); root.has('greeting')", /\nfalse\n/)
    await type(ada, 'await commit()', /\n2\n/)
    await type(bob, "root.has('greeting')", /\nfalse\n/)
    await type(bob, 'abort(); 40 + 2', /\n42\n/)
    await type(bob, "root.get('greeting')", "'hello from ada'")
    for (const terminal of [ada, bob]) {
      terminal.type('.exit\r')
      expect(await terminal.ended()).to.equal(0)
    }
    const stop = run('db stop')
    await stop.see(`Stopped the server at ${first.url}`)
    expect(await stop.ended()).to.equal(0)
    expect(await first.terminal.ended()).to.equal(0)

    // With a file, what is committed survives the server; Ctrl-C stops it too.
    const second = await server('--file story.perdure')
    const eve = await client(second.url)
    await type(eve, "root.set('kept', new PersistentList([1, 2, 3]))", 'PersistentMap #0(1)')
    await type(eve, 'await commit()', /\n2\n/)
    eve.type('.exit\r')
    expect(await eve.ended()).to.equal(0)
    second.terminal.type('\x03')
    expect(await second.terminal.ended()).to.equal(0)
    expect(existsSync(directory.join('story.perdure'))).to.equal(true)

    // The file can be used without a server.
    const direct = await client('--file story.perdure')
    await type(direct, "root.get('kept')", 'PersistentList #1 [ 1, 2, 3 ]')
    direct.type('.exit\r')
    expect(await direct.ended()).to.equal(0)
  })
})
