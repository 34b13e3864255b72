import { daemonFlags } from '../../cli/daemon/daemon-flags.js'
import { requireDaemon } from '../../cli/daemon/find-daemon.js'
import { stopServer } from '../../cli/daemon/stop-server.js'
import { PerdureCommand } from '../../cli/perdure-command.js'

const TIMEOUT_MS = 30_000

export default class DbStop extends PerdureCommand {
  static override summary = 'Stop a server on this machine, and wait until it has ended.'
  static override description = 'It finishes the commits under way, closes its clients, and writes a checkpoint.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --file bank.perdure',
    '<%= config.bin %> <%= command.id %> --port 3000',
  ]
  static override flags = daemonFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(DbStop)
    const daemon = requireDaemon(flags)
    await stopServer(daemon, flags['timeout-ms'] ?? TIMEOUT_MS)
    this.log(`Stopped the server at ${daemon.urls.join(', ')}`)
  }
}
