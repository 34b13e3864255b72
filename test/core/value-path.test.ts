import { expect } from 'chai'
import {
  BTree,
  type Connection,
  type Database,
  field,
  open,
  Persistent,
  PersistentList,
  PersistentMap,
} from '../../src/index.js'
import { failure } from '../support/errors.js'

class Point extends Persistent {
  static className = 'value-path-test.Point'
  @field accessor x = 7
}

class Account extends Persistent {
  static className = 'value-path-test.Account'
  tags = ['gold', 'old']
  where = new Map<unknown, unknown>([[5, { street: 'Main' }]])
  point = new Point()
}

describe('A path of keys', () => {
  let db: Database
  let connection: Connection

  beforeEach(async () => {
    db = (await open(undefined, { classes: [Account, Point] })) as unknown as Database
    connection = await db.connect()
    const root = connection.root as unknown as PersistentMap<string, unknown>
    root.set(
      'accounts',
      new PersistentMap<unknown, unknown>([
        ['ada', new Account()],
        ['a/b', 1],
        [12, 'twelve'],
        ['100%', 2],
      ]),
    )
    root.set('list', new PersistentList(['zero', 'one']))
    root.set('tree', new BTree().set(3, 'three'))
    root.set('nothing', undefined)
    await connection.commit()
  })

  afterEach(() => db.close())

  it('leads through collections, fields, arrays and maps', () => {
    expect(connection.find('/')).to.equal(connection.root)
    expect(connection.find('/accounts/ada')).to.be.instanceOf(Account)
    expect(connection.find('accounts/ada/tags/1')).to.equal('old')
    expect(connection.find('/accounts/ada/where/5/street')).to.equal('Main')
    expect(connection.find('/accounts/ada/point/x')).to.equal(7)
    expect(connection.find('/accounts/12')).to.equal('twelve')
    expect(connection.find('/accounts/a%2Fb')).to.equal(1)
    expect(connection.find('/accounts/100%')).to.equal(2)
    expect(connection.find('/list/1')).to.equal('one')
    expect(connection.find('/tree/3')).to.equal('three')
    expect(connection.find('/nothing')).to.equal(undefined)
  })

  for (const [path, message] of [
    ['/nobody', /no nobody in the root/],
    ['/accounts/bob/tags', /no bob in \/accounts, looking for \/accounts\/bob\/tags/],
    ['/accounts/ada/tags/2', /no 2 in \/accounts\/ada\/tags/],
    ['/accounts/ada/tags/1/x', /no x in \/accounts\/ada\/tags\/1/],
    ['/accounts/ada/constructor', /no constructor in/],
    ['/accounts/ada/__proto__', /no __proto__ in/],
    ['/list/-1', /no -1 in \/list/],
    ['/tree/x', /no x in \/tree/],
  ] as const) {
    it(`says how far ${path} leads`, async () => {
      const error = await failure('PERDURE_NOT_FOUND', () => connection.find(path))
      expect(error.message).to.match(message)
    })
  }
})
