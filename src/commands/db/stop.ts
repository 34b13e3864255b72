import { daemonFlags } from '../../cli/daemon/daemon-flags.js'
import { findDaemon, noSuchServer } from '../../cli/daemon/find-daemon.js'
import { stopServer } from '../../cli/daemon/stop-server.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { chooseTarget, connectTo } from '../../cli/target.js'

const TIMEOUT_MS = 30_000

/** A server that is there answers soon. */
const CONNECT_TIMEOUT_MS = 3000

export default class DbStop extends PerdureCommand {
  static override summary = 'Stop a server; of one on this machine, wait until it has ended.'
  static override description =
    `It finishes the commits under way, closes its clients, and writes a checkpoint. A server
that is not yours, or runs on another machine, is asked to stop; that it must allow: see --allow-remote-stop of
\`<%= config.bin %> db start\`.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --file bank.perdure',
    '<%= config.bin %> <%= command.id %> --port 3000',
    '<%= config.bin %> <%= command.id %> --url perdure+tls://db.example --tls-ca cert.pem --user ada',
  ]
  static override flags = daemonFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(DbStop)
    const daemon = findDaemon(flags)
    if (daemon !== undefined) {
      await stopServer(daemon, flags['timeout-ms'] ?? TIMEOUT_MS)
      this.log(`Stopped the server at ${daemon.urls.join(', ')}`)
      return
    }
    const target = chooseTarget({ ...flags, file: undefined })
    const saysWhere = [flags.url, flags.host, flags.port, flags.socket].some((value) => value !== undefined)
    if (target.kind === 'file' || !saysWhere || flags['pid-file'] !== undefined) throw noSuchServer()
    await using storage = await connectTo(
      { ...flags, 'timeout-ms': flags['timeout-ms'] ?? CONNECT_TIMEOUT_MS },
      target.url,
    )
    await storage.stopServer()
    this.log(`Asked the server at ${target.url} to stop.`)
  }
}
