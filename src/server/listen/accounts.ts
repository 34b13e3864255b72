import { readFile } from 'node:fs/promises'
import { PerdureError } from '../../core/errors.js'

/** Where a system keeps the numbers of its users and its groups. */
const FILES = { user: '/etc/passwd', group: '/etc/group' }

/**
 * The number of a user or a group: Node has no call for it, so it is looked up in the system's own list.
 *
 * @param account a number, or a name in that list
 * @throws PerdureError `PERDURE_ARGUMENT` for a name that is not there
 */
export async function accountNumber(kind: 'user' | 'group', account: string | number): Promise<number> {
  if (/^\d+$/.test(String(account))) return Number(account)
  const list = await readFile(FILES[kind], 'utf8').catch(() => '')
  for (const line of list.split('\n')) {
    const [name, , number] = line.split(':')
    if (name === account && number !== undefined) return Number(number)
  }
  throw new PerdureError('PERDURE_ARGUMENT', `There is no ${kind} ${account} in ${FILES[kind]}. Give its number.`)
}
