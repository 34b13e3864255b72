import { expect } from 'chai'
import { ClassRegistry, Placeholder, registerClass } from '../../src/core/class-registry.js'
import { Persistent } from '../../src/core/persistent.js'
import { MemoryStorage } from '../../src/storages/memory.js'
import { memoryDatabase } from '../support/databases.js'
import { failure } from '../support/errors.js'

class Animal extends Persistent {
  name = ''
  friends: Animal[] = []
}

class Dog extends Animal {}

describe('classes', () => {
  it('are found by their name, or by their own static className', () => {
    class Renamed extends Persistent {
      static readonly className = 'Original'
    }
    class Heir extends Renamed {}
    const classes = new ClassRegistry()
    classes.register(Renamed)
    classes.register(Heir)
    expect(classes.find('Original')?.type).to.equal(Renamed)
    expect(classes.find('Heir')?.type).to.equal(Heir)
    expect(classes.find('Renamed')).to.equal(undefined)
  })

  it('cannot share a name', async () => {
    const other = class Animal extends Persistent {}
    const classes = new ClassRegistry()
    classes.register(Animal)
    classes.register(Animal)
    const error = await failure('PERDURE_CLASS', () => classes.register(other))
    expect(error.details.className).to.equal('Animal')
  })

  it('cannot share a name when one is met only at commit', async () => {
    const db = await memoryDatabase([Animal])
    const other = class Animal extends Persistent {}
    await failure('PERDURE_CLASS', () =>
      db.transact((root) => {
        root['impostor'] = new other()
      }),
    )
    await db.close()
  })

  it('must extend Persistent and have a name', async () => {
    const classes = new ClassRegistry()
    await failure('PERDURE_CLASS', () => classes.register(Date))
    await failure('PERDURE_CLASS', () => classes.register(class extends Persistent {}))
    for (const className of ['', '\ud800', 'x'.repeat(256)]) {
      const type = class extends Persistent {
        static readonly className = className
      }
      await failure('PERDURE_CLASS', () => classes.register(type))
    }
    await failure('PERDURE_CLASS', () => classes.register('Animal' as never))
  })

  it('registered for the process are known to every database', async () => {
    class Everywhere extends Persistent {}
    registerClass(Everywhere)
    const db = await memoryDatabase()
    await db.transact((root) => {
      root['x'] = new Everywhere()
    })
    const again = await memoryDatabase([], {}, db.storage)
    await again.view((root) => expect(root['x']).to.be.instanceOf(Everywhere))
    await db.close()
  })

  describe('that are unknown', () => {
    it('are stood in for by placeholders, which are stored again unchanged', async () => {
      const storage = new MemoryStorage({})
      const first = await memoryDatabase([Animal, Dog], {}, storage)
      await first.transact((root) => {
        const rex = Object.assign(new Dog(), { name: 'Rex' })
        rex.friends.push(Object.assign(new Animal(), { name: 'Tom', friends: [rex] }))
        root['rex'] = rex
      })

      const second = await memoryDatabase([], {}, storage)
      await second.transact((root) => {
        const rex = root['rex'] as Dog
        expect(rex).to.be.instanceOf(Placeholder)
        expect(rex.constructor.name).to.equal('Dog')
        expect(rex.name).to.equal('Rex')
        const [tom] = rex.friends
        expect(tom?.friends[0]).to.equal(rex)
        rex.name = 'Max'
        root['moved'] = rex
      })

      const third = await memoryDatabase([Animal, Dog], {}, storage)
      await third.view((root) => {
        const rex = root['moved'] as Dog
        expect(rex).to.be.instanceOf(Dog)
        expect(rex.name).to.equal('Max')
        expect(rex.friends[0]).to.be.instanceOf(Animal)
        expect(rex.friends[0]?.name).to.equal('Tom')
      })
      await first.close()
    })
  })
})
