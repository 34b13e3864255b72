import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import { generate } from 'selfsigned'
import { PerdureError } from '../index.js'
import { fileError } from './file-error.js'

/** The files of a key and its certificate, for trying TLS. */
export interface CertificateFiles {
  /** The certificate, which is its own authority: servers take it as theirs, clients as the authority to trust. */
  readonly cert: string
  /** The private key, which nobody but its owner may read. */
  readonly key: string
}

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * Makes a key and a certificate for a server.
 *
 * @param directory which is made if it is not there
 * @param hosts names and addresses that clients will connect to
 * @param days how long the certificate is good for
 * @throws PerdureError `PERDURE_ARGUMENT` for what is no name of a host, or if there are such files already;
 *   `PERDURE_PERMISSION` and others if they cannot be written
 */
export async function makeCertificates(
  directory: string,
  hosts: readonly string[],
  days: number,
): Promise<CertificateFiles> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: hosts[0] as string }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + days * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      { name: 'subjectAltName', altNames: hosts.map(altName) },
    ],
  })
  const files = { cert: join(directory, 'perdure-cert.pem'), key: join(directory, 'perdure-key.pem') }
  if (existsSync(files.cert) || existsSync(files.key)) {
    throw new PerdureError('PERDURE_ARGUMENT', `There are such files in ${directory} already. Move them away first.`)
  }
  try {
    mkdirSync(directory, { recursive: true })
    writeFileSync(files.key, key, { mode: 0o600, flag: 'wx' })
    writeFileSync(files.cert, cert, { mode: 0o644, flag: 'wx' })
  } catch (cause) {
    throw fileError(cause, directory, 'The files cannot be written')
  }
  return files
}

function altName(host: string): { type: 2; value: string } | { type: 7; ip: string } {
  if (isIP(host) !== 0) return { type: 7, ip: host }
  // Certificates have names as the DNS has them: those with other letters begin with xn--.
  const value = domainToASCII(host)
  if (value !== '') return { type: 2, value }
  throw new PerdureError('PERDURE_ARGUMENT', `'${host}' is neither the name nor the address of a host.`)
}
