import { type FileHandle, open, realpath, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PerdureError, systemCode } from '../../core/errors.js'
import type { Role } from '../protocol/messages.js'
import {
  type Credentials,
  checkRole,
  checkUserName,
  formatHeader,
  formatUser,
  parseCredentials,
} from './credentials.js'
import { CREDENTIALS_FILE } from './credentials-file.js'
import { privateFileError, readPrivateFile } from './private-file.js'
import { makeVerifier } from './scram-keys.js'

export interface NewUser {
  readonly name: string
  readonly role: Role
  readonly password: string
}

/** Who has which role. */
export interface ListedUser {
  readonly name: string
  readonly role: Role
}

interface CredentialsText extends Credentials {
  readonly text: readonly string[]
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
}

/**
 * The users of a credentials file, in its order.
 *
 * @throws PerdureError as {@link CredentialsFile.load}
 */
export async function listUsers(path: string): Promise<ListedUser[]> {
  const { users } = await read(path)
  return Array.from(users.values(), ({ name, role }) => ({ name, role }))
}

/**
 * Adds a user to a credentials file, which is created if there is none.
 *
 * @throws PerdureError `PERDURE_ARGUMENT` if there is such a user already, or the name, password or role cannot be one;
 *   `PERDURE_LOCKED` while another process changes the file; as {@link CredentialsFile.load}
 */
export async function addUser(path: string, { name, role, password }: NewUser): Promise<void> {
  const user = { name: checkUserName(name), role: checkRole(role), verifier: await makeVerifier(password) }
  await edit(path, true, ({ users, text }) => {
    if (users.has(user.name)) {
      throw new PerdureError('PERDURE_ARGUMENT', `There is a user ${user.name} in ${path} already.`, {
        details: { path },
      })
    }
    return [...text, formatUser(user)]
  })
}

/**
 * Gives a user another role, or another password, or both.
 *
 * @throws PerdureError `PERDURE_NOT_FOUND` if there is no such user; as {@link addUser}
 */
export async function changeUser(
  path: string,
  name: string,
  change: { readonly role?: Role; readonly password?: string },
): Promise<void> {
  const role = change.role === undefined ? undefined : checkRole(change.role)
  const verifier = change.password === undefined ? undefined : await makeVerifier(change.password)
  await edit(path, false, ({ users, lines, text }) => {
    const { user, line } = find(path, { users, lines }, name)
    return text.with(
      line,
      formatUser({ name: user.name, role: role ?? user.role, verifier: verifier ?? user.verifier }),
    )
  })
}

/**
 * Takes a user out of a credentials file. Connections he has already go on.
 *
 * @throws PerdureError `PERDURE_NOT_FOUND` if there is no such user; as {@link addUser}
 */
export async function removeUser(path: string, name: string): Promise<void> {
  await edit(path, false, ({ users, lines, text }) => text.toSpliced(find(path, { users, lines }, name).line, 1))
}

function find(path: string, { users, lines }: Pick<Credentials, 'users' | 'lines'>, name: string) {
  const prepared = checkUserName(name)
  const user = users.get(prepared)
  const line = lines.get(prepared)
  if (user !== undefined && line !== undefined) return { user, line }
  throw new PerdureError('PERDURE_NOT_FOUND', `There is no user ${prepared} in ${path}.`, { details: { path } })
}

/** Every line but the changed ones stays as it is. */
async function edit(
  path: string,
  create: boolean,
  change: (credentials: CredentialsText) => readonly string[],
): Promise<void> {
  const target = await resolve(path)
  const temporary = `${target}.new`
  const file = await openNew(temporary)
  try {
    const before = create ? await readOrNew(target) : await read(target)
    const text = `${change(before).join('\n')}\n`
    if (before.owner !== undefined) await keepOwner(file, before.owner)
    await file.writeFile(text)
    await file.sync()
    await rename(temporary, target)
  } catch (error) {
    // Only what this call has created, and only as long as it is not the credentials file.
    await unlink(temporary).catch(() => {})
    throw privateFileError(error, target, 'change')
  } finally {
    await file.close()
  }
  await syncDirectory(dirname(target))
}

/** The new file is the lock as well: whoever makes it may replace the old one. */
async function openNew(temporary: string): Promise<FileHandle> {
  try {
    return await open(temporary, 'wx', 0o600)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw privateFileError(error, temporary, 'create')
    throw new PerdureError(
      'PERDURE_LOCKED',
      `${temporary} exists: another process is changing the credentials, or was ended while it did. Remove the file if it stays.`,
      { details: { path: temporary } },
    )
  }
}

async function read(path: string): Promise<CredentialsText> {
  const { text, stats } = await readPrivateFile(path, CREDENTIALS_FILE, 'nobody')
  const owner = { uid: Number(stats.uid), gid: Number(stats.gid) }
  return { ...parseCredentials(text, path), text: text.trimEnd().split('\n'), owner }
}

async function readOrNew(path: string): Promise<CredentialsText> {
  try {
    return await read(path)
  } catch (error) {
    if (!(error instanceof PerdureError) || error.code !== 'PERDURE_NOT_FOUND') throw error
    const header = formatHeader()
    return { ...parseCredentials(header, path), text: [header], owner: undefined }
  }
}

/** Root may change a file that the server's user must be able to read afterwards. */
async function keepOwner(file: FileHandle, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  const stats = await file.stat()
  if (stats.uid !== uid || stats.gid !== gid) await file.chown(uid, gid)
}

/** Where a symbolic link leads to, so that the link stays one. */
async function resolve(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return path
    throw privateFileError(error, path, 'find')
  }
}

/** Makes the rename survive a power cut. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
