import type { PerdureError } from '../index.js'

/**
 * What may help on the command line, where an error has only spoken of what happened or of the options of programs.
 *
 * @param bin how the command is typed
 * @param id what it was to do, as `db:repair`
 */
export function hintsFor({ code, message, details }: PerdureError, bin: string, id = ''): string[] {
  switch (code) {
    case 'PERDURE_TIMEOUT':
      if (!/ECONNREFUSED|ENOENT/.test(message) || ['db:status', 'db:stop'].includes(id)) return []
      return [
        `${bin} db start --file FILE, which starts a server`,
        '--file FILE, to do it without a server',
        '--url, --port or --socket, for a server elsewhere',
      ]
    case 'PERDURE_AUTHENTICATION':
      if (/who you are/.test(message)) return ['--user NAME, with --password-file FILE or PERDURE_PASSWORD']
      if (!/certificate/.test(message)) return []
      return [
        '--tls-ca FILE, with the certificate of who has signed that of the server',
        '--tls-cert FILE --tls-key FILE, if the server asks for a certificate',
      ]
    case 'PERDURE_LOCKED':
      if (details.pid === undefined || details.path === undefined) return []
      return [`${bin} db status --file ${quote(details.path)}, which says at what address it is served, if it is`]
    case 'PERDURE_CORRUPTION':
      if (details.path === undefined || id === 'db:repair') return []
      return [`${bin} db repair ${quote(details.path)}, which makes a new file of what is good`]
    default:
      return []
  }
}

/** A word for a POSIX shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** How the command is typed: what npm and npx run is found by npx alone. */
export function typed(bin: string, environment = process.env): string {
  return ['npx', 'start'].includes(environment['npm_lifecycle_event'] ?? '') ? `npx ${bin}` : bin
}
