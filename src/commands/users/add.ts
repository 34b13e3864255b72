import { Args, Flags } from '@oclif/core'
import { PerdureCommand } from '../../cli/perdure-command.js'
import { readPassword } from '../../cli/read-password.js'
import { requireUsersFile, usersFlag } from '../../cli/users-file.js'
import { addUser } from '../../server.js'

export default class UsersAdd extends PerdureCommand {
  static override summary = 'Add a user who may log in to a server.'
  static override description =
    `The password is asked for, or read from a file or from standard input. The file holds what
a login is checked with (SCRAM-SHA-256), not the password. A running server notices the change.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> ada --role writer --users users.txt',
    'pass show perdure/ada | <%= config.bin %> <%= command.id %> ada --users users.txt',
  ]
  static override args = { name: Args.string({ required: true, description: 'Name of the user.', ignoreStdin: true }) }
  static override flags = {
    users: usersFlag,
    role: Flags.option({
      summary: 'Readers load; writers commit as well; admins also pack, verify and stop the server.',
      options: ['reader', 'writer', 'admin'] as const,
      default: 'writer',
    })(),
    'password-file': Flags.string({ summary: 'File whose first line is the password.' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UsersAdd)
    const users = requireUsersFile(flags.users)
    await addUser(users, { name: args.name, role: flags.role, password: await readPassword(flags['password-file']) })
    this.log(`${args.name} may log in as ${flags.role}.`)
  }
}
