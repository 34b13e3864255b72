import { expect } from 'chai'
import { Books } from './books.js'
import type { VictimMessage } from './victim-messages.js'

/** Two writers; the first has been told of two commits, the second of one. */
const told: readonly VictimMessage[] = [
  { kind: 'ready' },
  { kind: 'opened', tid: 5, numbers: [0, 0] },
  { kind: 'committed', writer: 0, number: 1, tid: 6 },
  { kind: 'committed', writer: 1, number: 1, tid: 7 },
  { kind: 'committed', writer: 0, number: 2, tid: 8 },
]

describe('the books about killed processes', () => {
  let books: Books

  beforeEach(() => {
    books = new Books(2, 5)
    books.enter(told)
  })

  it('agree with what was acknowledged, and with one commit more of each writer', () => {
    books.read({ tid: 8, numbers: [2, 1] })
    books.read({ tid: 9, numbers: [2, 2] })
    books.recovered({ tid: 10, numbers: [3, 2] })
    expect(books).to.include({ acknowledged: 3, survivors: 2 })
  })

  it('find an acknowledged commit that is missing', () => {
    expect(() => books.recovered({ tid: 8, numbers: [2, 0] })).to.throw('Writer 1 has committed 1 to 2 times')
    expect(() => books.recovered({ tid: 7, numbers: [2, 1] })).to.throw('Transaction 8 was acknowledged')
  })

  it('find a commit that nobody has made', () => {
    expect(() => books.recovered({ tid: 10, numbers: [4, 1] })).to.throw('Writer 0 has committed 2 to 3 times')
    expect(() => books.enter([{ kind: 'committed', writer: 1, number: 3, tid: 9 }])).to.throw('jumped')
  })

  it('find a commit that vanishes after it was seen, or comes back after it was not', () => {
    books.recovered({ tid: 9, numbers: [3, 1] })
    expect(() => books.read({ tid: 9, numbers: [2, 1] })).to.throw('3 to 3 times')
    expect(() => books.read({ tid: 10, numbers: [3, 2] })).to.throw('1 to 1 times')
  })
})
