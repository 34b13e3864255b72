import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type TlsOptions } from 'node:tls'
import { PerdureError } from '../../core/errors.js'
import { privateFileError, readPrivateFile } from '../auth/private-file.js'

/** Paths of files in PEM. */
export interface TlsFiles {
  /** The server's certificate, followed by those that lead from it to its authority. */
  readonly cert: string
  /** The key of the certificate. Nobody else may read it: see {@link loadTls}. */
  readonly key: string
  /** Authorities. If given, a client needs a certificate that one of them has signed. */
  readonly ca?: string | undefined
}

/** What a TLS server takes, and until when its certificate is valid. */
export interface LoadedTls {
  readonly options: TlsOptions
  readonly validTo: Date
}

/**
 * Reads the files of a TLS server. It speaks TLS 1.3 and nothing older.
 *
 * The key's file may be read by nobody but its owner; if that is root, by its group as well, as some systems keep keys.
 *
 * @throws PerdureError `PERDURE_PERMISSION` if others could read the key, `PERDURE_NOT_FOUND`, `PERDURE_ARGUMENT` if the
 *   files make no sense or do not fit each other, `PERDURE_IO`
 */
export async function loadTls({ cert, key, ca }: TlsFiles): Promise<LoadedTls> {
  const texts = {
    cert: await readText(cert),
    key: (await readPrivateFile(key, 'private key', 'group')).text,
    ...(ca === undefined ? {} : { ca: await readText(ca) }),
  }
  const options: TlsOptions = {
    ...texts,
    minVersion: 'TLSv1.3',
    requestCert: ca !== undefined,
    rejectUnauthorized: ca !== undefined,
  }
  return { options, validTo: check(options, cert, { cert, key, ca }) }
}

/** Tries the options out, and says until when the certificate is valid. */
function check(options: TlsOptions, path: string, files: TlsFiles): Date {
  try {
    createSecureContext(options)
    // A file of authorities without any would be taken, and let in nobody.
    if (options.ca !== undefined) new X509Certificate(options.ca as string)
    return new Date(new X509Certificate(options.cert as string).validTo)
  } catch (error) {
    const names = [files.cert, files.key, files.ca].filter((name) => name !== undefined).join(', ')
    throw new PerdureError(
      'PERDURE_ARGUMENT',
      `TLS cannot be used with ${names}: ${(error as Error).message}. They must be PEM files that fit each other.`,
      { details: { path }, cause: error },
    )
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw privateFileError(error, path, 'read')
  }
}
