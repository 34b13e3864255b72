import { field, Persistent } from '../src/index.js'

/** What every peer stores a hundred thousand of: five fields, about 200 bytes. */
export class Account extends Persistent {
  owner = ''
  balance = 0
  tags: string[] = []
  note = ''
  next: Account | undefined = undefined
}

/** The oids of all accounts by number, for what reads them by id. Not in the root, which every connection loads. */
export class AccountIds extends Persistent {
  oids = new Float64Array()
}

/** An {@link Account} with the fast kind of fields. */
export class FieldAccount extends Persistent {
  @field accessor owner = ''
  @field accessor balance = 0
  @field accessor tags: string[] = []
  @field accessor note = ''
  @field accessor next: FieldAccount | undefined = undefined
}

/** An {@link Account} that is not persistent. */
export class PlainAccount {
  owner = ''
  balance = 0
  tags: string[] = []
  note = ''
  next: PlainAccount | undefined = undefined
}
