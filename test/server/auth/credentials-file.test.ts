import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { expect } from 'chai'
import { CredentialsFile } from '../../../src/server/auth/credentials-file.js'
import { addUser, changeUser, listUsers, removeUser } from '../../../src/server/auth/edit-credentials.js'
import { ScramClient } from '../../../src/server/auth/scram-client.js'
import { SCRAM_SHA_256 } from '../../../src/server/auth/scram-messages.js'
import { ScramServer } from '../../../src/server/auth/scram-server.js'
import type { Role } from '../../../src/server/protocol/messages.js'
import { failure } from '../../support/errors.js'
import { TemporaryDirectory } from '../../support/temporary-directory.js'

const ADA = { name: 'ada', role: 'writer', password: 'pencil' } as const
const BOB = { name: 'bob', role: 'admin', password: 'Bob, = "ñ"' } as const

describe('A credentials file', () => {
  let directory: TemporaryDirectory
  let path: string

  beforeEach(() => {
    directory = new TemporaryDirectory()
    path = directory.join('users')
  })

  afterEach(() => directory.remove())

  /** Logs in, and gives the role. */
  async function logIn(file: CredentialsFile, user: string, password: string): Promise<Role | undefined> {
    const client = new ScramClient({ user, password, mechanisms: [SCRAM_SHA_256] })
    const server = new ScramServer(SCRAM_SHA_256, { lookUp: (name) => file.lookUp(name) })
    const { data } = await server.step(client.first())
    return (await server.step(await client.final(data))).who?.role
  }

  function edit(change: (text: string) => string): void {
    writeFileSync(path, change(readFileSync(path, 'utf8')))
  }

  it('is created with the first user, for its owner alone', async () => {
    await addUser(path, ADA)
    await addUser(path, BOB)
    expect(statSync(path).mode & 0o777).to.equal(0o600)
    expect(await listUsers(path)).to.deep.equal([
      { name: 'ada', role: 'writer' },
      { name: 'bob', role: 'admin' },
    ])
    expect(readdirSync(directory.path)).to.deep.equal(['users'])
    const file = await CredentialsFile.load(path)
    expect(await logIn(file, 'ada', 'pencil')).to.equal('writer')
    expect(await logIn(file, 'bob', BOB.password)).to.equal('admin')
  })

  it('holds no password', async () => {
    await addUser(path, ADA)
    const text = readFileSync(path, 'utf8')
    expect(text).not.to.include('pencil').and.not.include(Buffer.from('pencil').toString('base64'))
  })

  it('keeps other lines as they are, and comments', async () => {
    await addUser(path, ADA)
    edit((text) => text.replace(/\n/, '\n# the writers\n\n').replace('{"name"', '{ "name"'))
    const before = readFileSync(path, 'utf8')
    await addUser(path, BOB)
    expect(readFileSync(path, 'utf8')).to.satisfy((text: string) => text.startsWith(before))
    await changeUser(path, 'bob', { role: 'reader' })
    expect((await listUsers(path))[1]).to.deep.equal({ name: 'bob', role: 'reader' })
    await removeUser(path, 'bob')
    expect(readFileSync(path, 'utf8')).to.equal(before)
  })

  it('changes role and password', async () => {
    await addUser(path, ADA)
    const file = await CredentialsFile.load(path)
    await changeUser(path, 'ada', { role: 'admin' })
    expect(await logIn(file, 'ada', 'pencil')).to.equal('admin')
    await changeUser(path, 'ada', { password: 'crayon' })
    expect(await logIn(file, 'ada', 'crayon')).to.equal('admin')
    await failure('PERDURE_AUTHENTICATION', () => logIn(file, 'ada', 'pencil'))
  })

  it('stays behind its symbolic link', async () => {
    await addUser(path, ADA)
    symlinkSync(path, directory.join('link'))
    await addUser(directory.join('link'), BOB)
    expect(lstatSync(directory.join('link')).isSymbolicLink()).to.equal(true)
    expect(await listUsers(path)).to.have.length(2)
  })

  it('refuses a second user of a name, and one that is not there', async () => {
    await addUser(path, ADA)
    await failure('PERDURE_ARGUMENT', () => addUser(path, { ...BOB, name: '\u00AAda' }))
    await failure('PERDURE_NOT_FOUND', () => removeUser(path, 'eve'))
    await failure('PERDURE_NOT_FOUND', () => changeUser(path, 'eve', { role: 'admin' }))
    await failure('PERDURE_ARGUMENT', () => addUser(path, { ...BOB, role: 'king' as Role }))
    await failure('PERDURE_ARGUMENT', () => addUser(path, { ...BOB, name: 'b'.repeat(256) }))
    expect(readdirSync(directory.path)).to.deep.equal(['users'])
    expect(await listUsers(path)).to.have.length(1)
  })

  it('is not created by asking, changing or removing', async () => {
    await failure('PERDURE_NOT_FOUND', () => listUsers(path))
    await failure('PERDURE_NOT_FOUND', () => removeUser(path, 'ada'))
    await failure('PERDURE_NOT_FOUND', () => changeUser(path, 'ada', {}))
    await failure('PERDURE_NOT_FOUND', () => CredentialsFile.load(path))
    await failure('PERDURE_NOT_FOUND', () => addUser(directory.join('no/folder'), ADA))
    expect(readdirSync(directory.path)).to.deep.equal([])
  })

  it('is changed by one process at a time', async () => {
    await addUser(path, ADA)
    writeFileSync(`${path}.new`, '')
    const error = await failure('PERDURE_LOCKED', () => addUser(path, BOB))
    expect(error.details.path).to.equal(`${path}.new`)
    const outcomes = await Promise.allSettled(
      [1, 2, 3].map((i) => addUser(directory.join('many'), { ...BOB, name: `u${i}` })),
    )
    const added = outcomes.filter(({ status }) => status === 'fulfilled')
    expect(await listUsers(directory.join('many')))
      .to.have.length(added.length)
      .greaterThan(0)
  })

  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o666]) {
    it(`is refused with mode ${mode.toString(8)}`, async () => {
      await addUser(path, ADA)
      chmodSync(path, mode)
      const error = await failure('PERDURE_PERMISSION', () => CredentialsFile.load(path))
      expect(error.message)
        .to.include(`0${mode.toString(8)}`)
        .and.include(`chmod 0600 ${path}`)
      await failure('PERDURE_PERMISSION', () => addUser(path, BOB))
      chmodSync(path, 0o400)
      await CredentialsFile.load(path)
    })
  }

  it('lets in nobody any more when others can read it', async () => {
    await addUser(path, ADA)
    const file = await CredentialsFile.load(path)
    chmodSync(path, 0o644)
    await failure('PERDURE_PERMISSION', () => logIn(file, 'ada', 'pencil'))
    chmodSync(path, 0o600)
    expect(await logIn(file, 'ada', 'pencil')).to.equal('writer')
  })

  it('is read again when it has changed, with the same size and time as well', async () => {
    await addUser(path, ADA)
    const past = new Date(Date.now() - 60_000)
    utimesSync(path, past, past)
    const file = await CredentialsFile.load(path)
    for (let i = 0; i < 20; i++) {
      const { password } = { password: `pencil${i}` }
      await addUser(directory.join(`users${i}`), { ...ADA, password })
      if (i % 2 === 0) renameSync(directory.join(`users${i}`), path)
      else writeFileSync(path, readFileSync(directory.join(`users${i}`)))
      utimesSync(path, past, past)
      expect(await logIn(file, 'ada', password)).to.equal('writer')
    }
  })

  it('is read again however fast it changes', async () => {
    await addUser(path, ADA)
    const file = await CredentialsFile.load(path)
    const texts = ['writer', 'reader'].map((role) => readFileSync(path, 'utf8').replace('"writer"', `"${role}"`))
    // Many of these changes fall into one tick of the clock that dates files.
    for (let i = 0; i < 500; i++) {
      writeFileSync(path, texts[i % 2] as string)
      expect((await file.current()).users.get('ada')?.role).to.equal(i % 2 === 0 ? 'writer' : 'reader')
    }
  })

  it('lets in nobody when it is gone or cannot be read, and everybody when it is back', async () => {
    await addUser(path, ADA)
    const file = await CredentialsFile.load(path)
    renameSync(path, directory.join('away'))
    await failure('PERDURE_NOT_FOUND', () => logIn(file, 'ada', 'pencil'))
    renameSync(directory.join('away'), path)
    expect(await logIn(file, 'ada', 'pencil')).to.equal('writer')
    edit((text) => `${text}nonsense\n`)
    await failure('PERDURE_ARGUMENT', () => logIn(file, 'ada', 'pencil'))
    edit((text) => text.replace('nonsense\n', ''))
    expect(await logIn(file, 'ada', 'pencil')).to.equal('writer')
  })

  it('asks unknown users for as many iterations as others', async () => {
    await addUser(path, ADA)
    edit((text) => text.replace('"iterations":32768', '"iterations":5000'))
    const file = await CredentialsFile.load(path)
    expect((await file.lookUp('eve')).verifier.iterations).to.equal(5000)
  })

  for (const [what, change, line] of [
    ['what is not JSON', (text: string) => `${text}{"name":\n`, 4],
    ['a list', (text: string) => `${text}[]\n`, 4],
    ['a user of the same name', (text: string) => `${text}${text.split('\n')[2]}\n`, 4],
    ['an unknown role', (text: string) => text.replace('"writer"', '"king"'), 3],
    ['an unknown field', (text: string) => text.replace('"role"', '"roles":[],"role"'), 3],
    ['another mechanism', (text: string) => text.replace('SCRAM-SHA-256', 'PLAIN'), 3],
    ['too few iterations', (text: string) => text.replace('32768', '4095'), 3],
    ['a short key', (text: string) => text.replace(/"storedKey":"[^"]+"/, '"storedKey":"AAAA"'), 3],
    ['a key that is no base64', (text: string) => text.replace(/"serverKey":"./, '"serverKey":"!'), 3],
    ['no salt', (text: string) => text.replace(/"salt":"[^"]+",/, ''), 3],
    ['a name that SASLprep would change', (text: string) => text.replace('"ada"', '"\u00AAda"'), 3],
    ['no name', (text: string) => text.replace('"name":"ada",', ''), 3],
    ['another format', (text: string) => text.replace('credentials-1', 'credentials-2'), 1],
    ['no secret', (text: string) => text.replace(/,"secret":"[^"]+"/, ''), 1],
  ] as const) {
    it(`names the line that has ${what}`, async () => {
      await addUser(path, ADA)
      edit((text) => text.replace('\n', '\n# comment\n'))
      const keys = [...readFileSync(path, 'utf8').matchAll(/"([\w+/]{20,}=*)"/g)].map((match) => match[1])
      expect(keys).to.have.length(4)
      edit(change)
      const error = await failure('PERDURE_ARGUMENT', () => CredentialsFile.load(path))
      expect(error.message).to.include(`Line ${line} `).and.include(path)
      expect(error.details).to.include({ path, line })
      for (const key of keys) expect(error.message).not.to.include(key)
    })
  }

  it('is refused when it is empty, a folder, or huge', async () => {
    writeFileSync(path, '', { mode: 0o600 })
    await failure('PERDURE_ARGUMENT', () => CredentialsFile.load(path))
    await failure('PERDURE_ARGUMENT', () => CredentialsFile.load(directory.path))
    writeFileSync(path, Buffer.alloc(16 * 1024 * 1024 + 1))
    await failure('PERDURE_ARGUMENT', () => CredentialsFile.load(path))
  })
})
