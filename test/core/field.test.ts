import { inspect } from 'node:util'
import { expect } from 'chai'
import type { Connection } from '../../src/core/connection.js'
import type { Database } from '../../src/core/database.js'
import { field } from '../../src/core/field.js'
import { Persistent } from '../../src/core/persistent.js'
import { memoryDatabase, type Root } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Account extends Persistent {
  @field accessor owner = 'nobody'
  @field accessor balance = 0
  @field accessor tags: string[] = []
  @field accessor friend: Account | undefined
  @field accessor _v_cache: unknown

  deposit(amount: number): void {
    this.balance += amount
  }
}

class Savings extends Account {
  @field accessor interest = 0.02
}

describe('@field', () => {
  let db: Database<Root>
  let connection: Connection<Root>

  beforeEach(async () => {
    db = await memoryDatabase([Account, Savings])
    connection = await db.connect()
    connection.root['ada'] = Object.assign(new Savings(), { owner: 'Ada', tags: ['a'] })
    await connection.commit()
  })

  afterEach(() => db.close())

  async function reloaded(): Promise<Savings> {
    return (await db.connect()).root['ada'] as Savings
  }

  it('stores fields of the class and of its base class', async () => {
    const ada = connection.root['ada'] as Savings
    ada.deposit(10)
    ada.interest = 0.5
    ada.tags.push('b')
    ada.friend = ada
    await connection.commit()
    const again = await reloaded()
    expect([again.owner, again.balance, again.interest, [...again.tags]]).to.deep.equal(['Ada', 10, 0.5, ['a', 'b']])
    expect(again.friend).to.equal(again)
    expect(again).to.be.instanceOf(Savings)
  })

  it('shows the fields in JSON and console.log, not in Object.keys', async () => {
    const ada = await reloaded()
    expect(JSON.stringify(ada)).to.equal('{"owner":"Ada","balance":0,"tags":["a"],"interest":0.02}')
    expect(inspect(ada)).to.include("owner: 'Ada'")
    expect(Object.keys(ada)).to.deep.equal([])
  })

  it('aborts to what was stored', () => {
    const ada = connection.root['ada'] as Savings
    ada.balance = 99
    ada.tags.push('x')
    connection.abort()
    expect(ada.balance).to.equal(0)
    expect([...ada.tags]).to.deep.equal(['a'])
  })

  it('keeps volatile fields out of the store and out of the changes', async () => {
    const ada = connection.root['ada'] as Savings
    ada._v_cache = () => 1
    expect(connection.statistics.changed).to.equal(0)
    ada.balance = 1
    await connection.commit()
    expect(ada._v_cache).to.be.a('function')
    expect((await reloaded())._v_cache).to.equal(undefined)
  })

  it('keeps stored fields that the class does not declare any more', async () => {
    class Wide extends Persistent {
      static readonly className = 'Thing'
      @field accessor kept = 1
      @field accessor dropped = 2
    }
    class Narrow extends Persistent {
      static readonly className = 'Thing'
      @field accessor kept = 0
    }
    const first = await memoryDatabase([Wide])
    const writer = await first.connect()
    writer.root['thing'] = new Wide()
    await writer.commit()
    const second = await memoryDatabase([Narrow], {}, first.storage)
    const changer = await second.connect()
    ;(changer.root['thing'] as Narrow).kept = 10
    await changer.commit()
    const third = await memoryDatabase([Wide], {}, first.storage)
    const thing = (await third.connect()).root['thing'] as Wide
    expect([thing.kept, thing.dropped]).to.deep.equal([10, 2])
    await first.close()
  })

  it('refuses plain fields beside declared ones, which would not be noticed', async () => {
    class Mixed extends Persistent {
      @field accessor declared = 1
      plain = 2
    }
    connection.root['mixed'] = new Mixed()
    const error = await failure('PERDURE_UNSTORABLE', () => connection.commit())
    expect(error.message).to.include('root.mixed.plain')
    connection.abort()
    const ada = await reloaded()
    expect(() => {
      ;(ada as Savings & { extra: number }).extra = 1
    }).to.throw(TypeError)
  })

  it('refuses static and private accessors', async () => {
    await failure('PERDURE_CLASS', () => {
      class Wrong extends Persistent {
        // @ts-expect-error a static accessor is not a field of instances
        @field static accessor shared = 1
      }
      return Wrong
    })
  })
})
