import {
  type BigIntStats,
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { PerdureError, systemCode } from '../../core/errors.js'
import { privateFileError } from '../auth/private-file.js'

export interface SocketAccess {
  /** Who the socket's file shall belong to: numbers. Default: the process's own. */
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Permissions the file shall not have, as umask(2). Who may write to it may connect. */
  readonly umask: number
}

/** Leaves room for a directory beside a socket whose path is as long as it may be. */
const TEMPORARY = '.s-'

/**
 * A listening Unix socket's file. It appears at its path at once with its owner and its permissions, so nobody can connect
 * who may not: it is made in a directory that only this process can enter. (Setting the umask for a moment would do it
 * for other threads as well.)
 */
export class SocketFile {
  readonly path: string
  readonly #identity: string

  private constructor(path: string) {
    this.path = path
    this.#identity = identify(lstatSync(path, { bigint: true }))
  }

  /**
   * Makes the server listen at this path. The file of a server that is no longer alive is replaced.
   *
   * @throws PerdureError `PERDURE_LOCKED` if a server answers there, `PERDURE_ARGUMENT` if there is a file that is no
   *   socket or the path is too long, `PERDURE_PERMISSION`, `PERDURE_NOT_FOUND`, `PERDURE_IO`
   */
  static async listen(server: Server, path: string, access: SocketAccess): Promise<SocketFile> {
    let directory: string | undefined
    try {
      directory = mkdtempSync(join(dirname(path), TEMPORARY))
      const temporary = join(directory, 's')
      await listenAt(server, temporary)
      chmodSync(temporary, 0o777 & ~access.umask)
      if (access.uid !== undefined || access.gid !== undefined) chownSync(temporary, access.uid ?? -1, access.gid ?? -1)
      await publish(temporary, path)
      return new SocketFile(path)
    } catch (error) {
      server.close()
      throw privateFileError(error, path, 'listen at')
    } finally {
      removeTemporary(directory)
    }
  }

  /** Removes the file, unless it is another server's by now. */
  remove(): void {
    try {
      if (identify(lstatSync(this.path, { bigint: true })) === this.#identity) unlinkSync(this.path)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw privateFileError(error, this.path, 'remove')
    }
  }
}

function identify({ dev, ino }: BigIntStats): string {
  return `${dev} ${ino}`
}

function removeTemporary(directory: string | undefined): void {
  if (directory === undefined) return
  for (const remove of [() => unlinkSync(join(directory, 's')), () => rmdirSync(directory)]) {
    try {
      remove()
    } catch {
      // An empty directory may stay behind; the error that led here says more.
    }
  }
}

function listenAt(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      // The system may be out of descriptors for a while; connections wait until then.
      server.on('error', () => {})
      resolve()
    })
  })
}

/** A link is not made where there is something already, so of two servers that start at the same time one gives way. */
async function publish(temporary: string, path: string): Promise<void> {
  for (let attempts = 0; attempts < 3; attempts++) {
    try {
      linkSync(temporary, path)
      return
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
      await removeDead(path)
    }
  }
  throw locked(path)
}

async function removeDead(path: string): Promise<void> {
  let found: BigIntStats
  try {
    found = lstatSync(path, { bigint: true })
  } catch {
    return // Whoever it belonged to has removed it.
  }
  if (!found.isSocket()) {
    throw new PerdureError('PERDURE_ARGUMENT', `There is something at ${path} that is no socket. Give another path.`, {
      details: { path },
    })
  }
  if (await answers(path)) throw locked(path)
  // What is taken away must be what did not answer, not the socket of a server that has just started.
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw error
  }
  if (identify(lstatSync(aside, { bigint: true })) === identify(found)) unlinkSync(aside)
  else renameSync(aside, path)
}

/** True if a server listens, even one that has no time just now. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => {
      const system = systemCode(error)
      if (system === 'ECONNREFUSED' || system === 'ENOENT') resolve(false)
      else if (system === 'EAGAIN') resolve(true)
      else reject(error)
    })
  })
}

function locked(path: string): PerdureError {
  return new PerdureError('PERDURE_LOCKED', `Another server listens at ${path}. Stop it, or give another path.`, {
    details: { path },
  })
}
