import { Flags } from '@oclif/core'
import { detach, type StartMessage } from '../../cli/daemon/detach.js'
import { repairInPlace } from '../../cli/daemon/repair-in-place.js'
import { serveOptions, storageOptions } from '../../cli/daemon/start-options.js'
import { startServer } from '../../cli/daemon/start-server.js'
import { typed } from '../../cli/hints.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { booleanFlag, integerFlag, numberFlag, stringFlag } from '../../cli/setting-flags.js'
import { filePath } from '../../cli/target.js'
import { toldError } from '../../cli/told-error.js'
import { PerdureError } from '../../index.js'

export default class DbStart extends PerdureCommand {
  static override summary = 'Serve a database to other processes.'
  static override description = `Without --file the database is a temporary one, which is removed when the server stops.
Ctrl-C or \`<%= config.bin %> db stop\` stop it; what clients have committed is safe at any time.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --file bank.perdure --port 3000',
    '<%= config.bin %> <%= command.id %> --file bank.perdure --socket /run/bank.socket --group staff --umask 007 --detach',
    '<%= config.bin %> <%= command.id %> --file bank.perdure --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem --users users.txt',
  ]
  static override flags = {
    file: stringFlag('file', 'f'),
    serializer: stringFlag('serializer'),
    storage: stringFlag('storage'),
    durability: stringFlag('durability'),
    index: stringFlag('index'),
    readonly: booleanFlag('readonly'),
    repair: booleanFlag('repair'),
    host: stringFlag('host'),
    port: integerFlag('port', 'p'),
    socket: stringFlag('socket'),
    owner: stringFlag('owner'),
    group: stringFlag('group'),
    umask: stringFlag('umask'),
    'tls-cert': stringFlag('tlsCert'),
    'tls-key': stringFlag('tlsKey'),
    'tls-ca': stringFlag('tlsCa'),
    insecure: booleanFlag('insecure'),
    users: stringFlag('users'),
    'allow-remote-stop': booleanFlag('allowRemoteStop'),
    'gc-bytes': integerFlag('gcBytes'),
    'gc-interval': stringFlag('gcInterval'),
    'gc-garbage-ratio': numberFlag('gcGarbageRatio'),
    detach: Flags.boolean({ summary: 'Run in the background, once the server is ready.' }),
    'pid-file': stringFlag('pidFile'),
    'log-file': stringFlag('logFile'),
    'log-level': stringFlag('logLevel'),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(DbStart)
    const args = this.argv.filter((arg) => arg !== '--detach')
    const file = flags.file === undefined ? undefined : filePath(flags.file)
    const { 'pid-file': pidFile, 'log-file': logFile } = flags
    const storage = storageOptions(flags)
    const serve = serveOptions(flags)
    if (flags.detach) {
      for (const line of await detach({ args, logFile, pidFile, file })) this.log(line)
      return
    }
    if (flags.repair && file !== undefined) {
      const report = await repairInPlace(file, flags.serializer)
      if (report !== undefined) this.log(report)
    }
    const { server, closed } = await startServer({ file, storage, serve, pidFile, args, logFile })
    const access = [flags.users && ' --user NAME', flags['tls-ca'] && ' --tls-cert FILE --tls-key FILE']
    const lines = server.addresses.flatMap(({ url }) => [
      `Serving ${file ?? 'a temporary database'} at ${url}`,
      `  connect with: ${typed(this.config.bin)} db client ${url}${access.filter(Boolean).join('')}`,
    ])
    for (const line of lines) this.log(line)
    this.#tellStarter({ lines })
    await closed
  }

  protected override async catch(error: Error): Promise<unknown> {
    if (error instanceof PerdureError) this.#tellStarter({ error: toldError(error) })
    return super.catch(error)
  }

  /** Who started it in the background may have gone meanwhile. */
  #tellStarter(message: StartMessage): void {
    process.send?.(message, undefined, undefined, () => {})
  }
}
