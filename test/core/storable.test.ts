import { expect } from 'chai'
import type { Database } from '../../src/core/database.js'
import { Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Thing extends Persistent {
  any: unknown
}

class NotPersistent {}

describe('what cannot be stored', () => {
  let db: Database<Root>

  beforeEach(async () => {
    db = await memoryDatabase([Thing])
    await db.transact((root) => {
      root['thing'] = new Thing()
    })
  })

  afterEach(() => db.close())

  const deep = (levels: number) => {
    let value: unknown = 1
    for (let i = 0; i < levels; i++) value = [value]
    return value
  }

  const refused: [what: string, value: unknown, path: string][] = [
    ['a function', () => 1, 'root.thing.any'],
    ['a symbol', Symbol('s'), 'root.thing.any'],
    ['a class', NotPersistent, 'root.thing.any'],
    ['an instance of a class that is not persistent', new NotPersistent(), 'root.thing.any'],
    ['an Error', new Error('x'), 'root.thing.any'],
    ['a Promise', Promise.resolve(), 'root.thing.any'],
    ['a WeakMap', new WeakMap(), 'root.thing.any'],
    ['a function in an array', [1, [() => 1]], 'root.thing.any[1][0]'],
    ['a symbol in an object', { 'a b': { c: Symbol() } }, 'root.thing.any["a b"].c'],
    ['an instance as a value in a Map', new Map([['k', new NotPersistent()]]), 'root.thing.any.k'],
    ['a function as a key in a Map', new Map([[() => 1, 1]]), 'root.thing.any["<function key>"]'],
    ['a function in a Set', new Set([1, () => 1]), 'root.thing.any["<member 1>"]'],
    ['an object with a symbol key', { x: { [Symbol('s')]: 1 } }, 'root.thing.any.x'],
    [
      'an object with a getter',
      {
        get g() {
          return 1
        },
      },
      'root.thing.any',
    ],
    ['an instance of a subclass of Array', new (class List extends Array {})(), 'root.thing.any'],
    ['an instance of a subclass of Map', new (class Table extends Map {})(), 'root.thing.any'],
    ['an object with too many properties', { many: { ...new Array(1_000_001).fill(0) } }, 'root.thing.any.many'],
    ['too deep a nesting', deep(600), 'root.thing.any[0][0]'],
  ]

  for (const [what, value, path] of refused) {
    it(`is refused with its path: ${what}`, async () => {
      const error = await failure('PERDURE_UNSTORABLE', () =>
        db.transact((root) => {
          ;(root['thing'] as Thing).any = value
        }),
      )
      expect(error.message).to.include(path)
      expect(error.details.path).to.include(path)
      await db.view((root) => expect((root['thing'] as Thing).any).to.equal(undefined))
    })
  }

  it('is named at once however far it is from the root, and however deep it is', async () => {
    await using connection = await db.connect()
    const first = new Thing()
    let last = first
    for (let i = 0; i < 20_000; i++) {
      last.any = new Thing()
      last = last.any as Thing
    }
    last.any = deep(50_000)
    connection.root['thing'] = first
    const error = await failure('PERDURE_UNSTORABLE', () => connection.commit())
    expect(error.message).to.match(/^Cannot store root\.thing\.any\.any.* \.\.\. (\[0\])+: it is nested more/)
    expect(error.message.length).to.be.lessThan(400)
  })

  it('is named from the class when it cannot be reached from the root', async () => {
    const connection = await db.connect()
    const thing = connection.root['thing'] as Thing
    connection.root['thing'] = undefined
    thing.any = () => 1
    const error = await failure('PERDURE_UNSTORABLE', () => connection.commit())
    expect(error.message).to.match(/Thing\(\d+\)\.any/)
  })

  it('does not include an array that is almost empty, however long', async () => {
    await db.transact((root) => {
      const long: unknown[] = []
      long[4_000_000_000] = 'far'
      ;(root['thing'] as Thing).any = long
    })
    await db.view((root) => {
      const long = (root['thing'] as Thing).any as unknown[]
      expect(long.length).to.equal(4_000_000_001)
      expect(long[4_000_000_000]).to.equal('far')
    })
  })

  it('does not include anything of the list in the serializer contract', async () => {
    const values = [
      undefined,
      null,
      12n ** 40n,
      Number.NaN,
      -0,
      Number.POSITIVE_INFINITY,
      new Date(0),
      /x/gi,
      new Uint8Array(3),
      new Float64Array(2),
      new ArrayBuffer(4),
      new Map([[{}, new Set([1])]]),
      Object.create(null),
      deep(400),
    ]
    for (const value of values) {
      await db.transact((root) => {
        ;(root['thing'] as Thing).any = value
      })
    }
  })
})
