import { stat } from 'node:fs/promises'
import { type Credentials, parseCredentials, type User } from './credentials.js'
import { type FileStamp, privateFileError, readPrivateFile, stampOf } from './private-file.js'
import { DEFAULT_ITERATIONS, fakeVerifier } from './scram-keys.js'
import type { KnownUser } from './scram-server.js'

export const CREDENTIALS_FILE = 'credentials file'

/**
 * The users of a server, in a file that only the server's own user may read. Whenever somebody logs in, it is looked at
 * again and read if it has changed. If it cannot be used any more, nobody gets in: a user may have been removed from it,
 * and the former state would let him in.
 */
export class CredentialsFile {
  readonly path: string
  #credentials: Credentials
  #stamp: FileStamp

  private constructor(path: string, credentials: Credentials, stamp: FileStamp) {
    this.path = path
    this.#credentials = credentials
    this.#stamp = stamp
  }

  /**
   * @throws PerdureError `PERDURE_PERMISSION` if others may read or change the file, or this process may not read it;
   *   `PERDURE_NOT_FOUND`; `PERDURE_ARGUMENT` for what is wrong in it, with its line; `PERDURE_IO`
   */
  static async load(path: string): Promise<CredentialsFile> {
    const { text, stamp } = await readPrivateFile(path, CREDENTIALS_FILE, 'nobody')
    return new CredentialsFile(path, parseCredentials(text, path), stamp)
  }

  /**
   * What is in the file now.
   *
   * @throws PerdureError as {@link load}
   */
  async current(): Promise<Credentials> {
    if (!(await this.#isUnchanged())) {
      const { text, stamp } = await readPrivateFile(this.path, CREDENTIALS_FILE, 'nobody')
      this.#credentials = parseCredentials(text, this.path)
      this.#stamp = stamp
    }
    return this.#credentials
  }

  /**
   * What there is to check a login by this name, whether there is such a user or not.
   *
   * @throws PerdureError as {@link load}
   */
  async lookUp(name: string): Promise<KnownUser<User>> {
    const { users, secret } = await this.current()
    const user = users.get(name)
    if (user !== undefined) return { verifier: user.verifier, who: user }
    // A count that no real user has would give the unknown one away.
    const [first] = users.values()
    const iterations = first?.verifier.iterations ?? DEFAULT_ITERATIONS
    return { verifier: fakeVerifier(secret, name, iterations), who: undefined }
  }

  async #isUnchanged(): Promise<boolean> {
    if (!this.#stamp.settled) return false
    try {
      return stampOf(await stat(this.path, { bigint: true })).text === this.#stamp.text
    } catch (error) {
      throw privateFileError(error, this.path, 'read')
    }
  }
}
