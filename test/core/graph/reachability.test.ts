import { expect } from 'chai'
import fc from 'fast-check'
import { Reachability } from '../../../src/core/graph/reachability.js'
import { ReferenceGraph } from '../../../src/core/graph/reference-graph.js'
import type { Oid } from '../../../src/core/oid.js'

type Objects = ReadonlyMap<Oid, readonly Oid[]>

/** Oids that lie close together, far apart, and on the borders of pages. */
const oid = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 30 }) },
  fc.constantFrom(1023, 1024, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
)

const objects: fc.Arbitrary<Objects> = fc
  .array(fc.tuple(oid, fc.array(oid, { maxLength: 5 })), { maxLength: 40 })
  .map((entries) => new Map(entries))

function graphOf(objects: Objects, batchSize = 7): ReferenceGraph {
  const graph = new ReferenceGraph()
  const entries = [...objects]
  for (let i = 0; i < entries.length; i += batchSize) {
    const some = entries.slice(i, i + batchSize)
    let end = 0
    const ends = some.map(([, references]) => (end += references.length))
    const numbers = graph.add({
      oids: Float64Array.from(some, ([oid]) => oid),
      referenceEnds: Uint32Array.from(ends),
      references: Float64Array.from(some.flatMap(([, references]) => references)),
    })
    expect([...numbers]).to.deep.equal(some.map(([oid]) => graph.oids.find(oid)))
  }
  return graph
}

/** The distances from the roots of all objects that can be reached. */
function distances(objects: Objects, roots: readonly Oid[]): Map<Oid, number> {
  const found = new Map<Oid, number>()
  let level = roots.filter((root) => objects.has(root))
  for (let distance = 0; level.length > 0; distance++) {
    for (const oid of level) if (!found.has(oid)) found.set(oid, distance)
    level = level.flatMap((oid) => objects.get(oid) ?? []).filter((oid) => objects.has(oid) && !found.has(oid))
  }
  return found
}

describe('Reachability', () => {
  it('finds what a search over sets finds, the near before the far', () => {
    fc.assert(
      fc.property(
        objects,
        fc.array(oid, { maxLength: 3 }),
        fc.integer({ min: 1, max: 9 }),
        (objects, roots, budget) => {
          const graph = graphOf(objects)
          expect(graph.objects).to.equal(objects.size)
          const reachability = new Reachability(graph, roots)
          while (reachability.step(budget));
          const expected = distances(objects, roots)
          const oids = new Map([...graph.oids.entries()].map(([oid, number]) => [number, oid]))
          const order = Array.from({ length: reachability.reached }, (_, i) => oids.get(reachability.at(i)) as Oid)
          expect(order).to.have.members([...expected.keys()])
          const steps = order.map((oid) => expected.get(oid) as number)
          expect(steps).to.deep.equal(steps.toSorted((a, b) => a - b))
          for (const [oid, number] of graph.oids.entries()) {
            if (graph.has(number)) expect(reachability.has(number), `object ${oid}`).to.equal(expected.has(oid))
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('goes through graphs larger than a segment of memory', () => {
    // A chain backwards through 200,000 objects, and as many that nobody refers to.
    const count = 200_000
    const chain = Array.from({ length: count }, (_, i): [Oid, Oid[]] => [i, i === 0 ? [count - 1] : [i - 1]])
    const garbage = Array.from({ length: count }, (_, i): [Oid, Oid[]] => [count + i, [i, count + ((i + 1) % count)]])
    const graph = graphOf(new Map([...chain, ...garbage]), 4096)
    const reachability = new Reachability(graph, [0])
    expect(reachability.step()).to.equal(false)
    expect(reachability.reached).to.equal(count)
    expect(reachability.has(graph.oids.find(count - 1))).to.equal(true)
    expect(reachability.has(graph.oids.find(count))).to.equal(false)
  })
})

describe('ReferenceGraph', () => {
  it('lists oids in their order, also those that are only referred to', () => {
    const graph = graphOf(
      new Map([
        [2 ** 40, [5, 1024]],
        [3, []],
      ]),
    )
    expect([...graph.oids.entries()].map(([oid]) => oid)).to.deep.equal([3, 5, 1024, 2 ** 40])
    expect(graph.has(graph.oids.find(3))).to.equal(true)
    expect(graph.has(graph.oids.find(5))).to.equal(false)
    expect(graph.oids.find(4)).to.equal(-1)
  })

  it('puts an object that comes again in the place of the first', () => {
    const graph = graphOf(
      new Map([
        [0, [1]],
        [1, []],
        [2, []],
      ]),
    )
    graph.add({ oids: Float64Array.of(0), referenceEnds: Uint32Array.of(1), references: Float64Array.of(2) })
    const reachability = new Reachability(graph, [0])
    reachability.step()
    expect(graph.objects).to.equal(3)
    expect([1, 2].map((oid) => reachability.has(graph.oids.find(oid)))).to.deep.equal([false, true])
  })
})
