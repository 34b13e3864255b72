import { PerdureError } from '../core/errors.js'
import type { Request, Role } from './protocol/messages.js'

const RANK: Readonly<Record<Role, number>> = { reader: 0, writer: 1, admin: 2 }

/** The least role that may ask for something. Whatever is not listed, readers may. */
const NEEDED: Readonly<Partial<Record<Request['type'], Role>>> = {
  allocate: 'writer',
  commit: 'writer',
  outcome: 'writer',
  pack: 'admin',
  verify: 'admin',
  stop: 'admin',
}

/** @throws PerdureError `PERDURE_PERMISSION` */
export function assertPermitted(type: Request['type'], role: Role): void {
  const needed = NEEDED[type] ?? 'reader'
  if (RANK[role] >= RANK[needed]) return
  throw new PerdureError(
    'PERDURE_PERMISSION',
    `'${type}' needs the role ${needed} on this server, and yours is ${role}.`,
    { details: { role, needed } },
  )
}
