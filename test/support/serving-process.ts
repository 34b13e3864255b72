import { type ServeOptions, serve } from '../../src/server.js'

/*
 * A server as a process of its own: serves the database at the path given as second argument ('' for a temporary one),
 * with the options given in JSON as the first. Says where, in JSON, when clients can connect, and ends when it has been
 * stopped.
 */

const [, , options = '{}', path = ''] = process.argv

try {
  const server = await serve(path === '' ? undefined : path, JSON.parse(options) as ServeOptions)
  process.stdout.write(`${JSON.stringify({ urls: server.addresses.map(({ url }) => url) })}\n`)
  await server.closed
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: String(error), code: (error as { code?: string }).code })}\n`)
  process.exitCode = 1
}
