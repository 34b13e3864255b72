import { writeFileSync } from 'node:fs'
import { generate } from 'selfsigned'
import type { TemporaryDirectory } from './temporary-directory.js'

/** A certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

const HOUR_MS = 3_600_000

/** Makes certificates for tests: authorities, and what they sign. */
export async function makeAuthority(name: string): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  return { cert: made.cert, key: made.private }
}

/** A certificate for `localhost` and its addresses, or, with another name, for a client. */
export async function makeCertificate(
  authority: Certificate,
  name = 'localhost',
  { expired = false } = {},
): Promise<Certificate> {
  const now = Date.now()
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca: authority,
    notBeforeDate: new Date(now - 2 * HOUR_MS),
    notAfterDate: new Date(expired ? now - HOUR_MS : now + HOUR_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: name },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  })
  return { cert: made.cert, key: made.private }
}

/** Writes a certificate's two files, the key for the owner alone, and gives their paths. */
export function writeCertificate(
  directory: TemporaryDirectory,
  name: string,
  { cert, key }: Certificate,
): { readonly cert: string; readonly key: string } {
  const paths = { cert: directory.join(`${name}.pem`), key: directory.join(`${name}.key`) }
  writeFileSync(paths.cert, cert)
  writeFileSync(paths.key, key, { mode: 0o600 })
  return paths
}
