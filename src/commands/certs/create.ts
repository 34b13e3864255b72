import { Flags } from '@oclif/core'
import { quote, typed } from '../../cli/hints.js'
import { makeCertificates } from '../../cli/make-certificates.js'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { bracketed } from '../../cli/target.js'

export default class CertsCreate extends PerdureCommand {
  static override summary = 'Make a key and a certificate, for trying TLS.'
  static override description = `The certificate is its own authority. For a server that others rely on, get one from an
authority that they trust.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --host db.example --host 10.0.0.5 --directory certs',
  ]
  static override flags = {
    directory: Flags.string({ char: 'd', summary: 'Where to put them.', default: '.' }),
    host: Flags.string({
      summary: 'Name or address that clients connect to. May be repeated.',
      multiple: true,
      default: ['localhost', '127.0.0.1', '::1'],
    }),
    days: Flags.integer({ summary: 'How long the certificate is good for.', default: 365, min: 1, max: 36_500 }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(CertsCreate)
    const { cert, key } = await makeCertificates(flags.directory, flags.host, flags.days)
    const bin = typed(this.config.bin)
    const [host = ''] = flags.host
    const [certFile, keyFile] = [quote(cert), quote(key)]
    this.log(`${cert}: the certificate, for ${flags.host.join(', ')}`)
    this.log(`${key}: the private key, readable by you alone`)
    this.log(`  serve with:   ${bin} db start --tls-cert ${certFile} --tls-key ${keyFile} --users FILE --host ${host}`)
    this.log(`  connect with: ${bin} db client perdure+tls://${bracketed(host)} --tls-ca ${certFile} --user NAME`)
  }
}
