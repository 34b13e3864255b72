import { BTreeNode } from '../../collections/btree-node.js'
import { PersistentMap } from '../../collections/persistent-map.js'
import type { RecordChunk } from '../../conversion/record-chunk.js'
import { PerdureError } from '../../core/errors.js'
import { MAX_ID, type Oid, ROOT_OID } from '../../core/oid.js'
import type { DurusObject, DurusSource } from '../source.js'
import { ClassMap, type DurusMapping, type MappedClass } from './class-map.js'
import { ChangeList, type ChangeSummary } from './import-report.js'
import { MapPipeline } from './map-pipeline.js'
import { type MappedObject, ObjectMapper } from './object-mapper.js'
import { SourceSurvey, type SurveyOptions } from './source-survey.js'

/** What became of one class. */
export interface ImportedClass {
  /** Its dotted name in Python. */
  readonly pythonName: string
  readonly className: string
  /** How many objects of it can be reached from the root. */
  readonly objects: number
}

/** An object of the source, and what becomes of its class. */
export interface PendingObject {
  readonly object: DurusObject
  readonly type: MappedClass
}

/** A Durus database on its way into one of Perdure's. */
export class DurusMapper {
  readonly #source: DurusSource
  readonly #survey: SourceSurvey
  readonly #changes = new ChangeList()
  readonly #mapper: ObjectMapper
  readonly #hasConverters: boolean
  #nextOid: Oid

  private constructor(source: DurusSource, survey: SourceSurvey, mapping: DurusMapping) {
    this.#source = source
    this.#survey = survey
    this.#nextOid = source.highestOid + 1
    this.#hasConverters = Object.keys(mapping.values ?? {}).length > 0
    this.#mapper = new ObjectMapper({
      classOf: (oid) => survey.classOf(oid)?.className,
      onReference: (oid) => {
        if (survey.classOf(oid)?.family === 'node') survey.addStray(oid)
      },
      converters: new Map(Object.entries(mapping.values ?? {})),
      changes: this.#changes,
    })
  }

  /**
   * Finds out what there is to map.
   *
   * @throws as {@link SourceSurvey.of}; PerdureError `PERDURE_UNSUPPORTED` if the root is no PersistentDict
   */
  static async prepare(source: DurusSource, mapping: DurusMapping, options: SurveyOptions): Promise<DurusMapper> {
    const survey = await SourceSurvey.of(source, new ClassMap(mapping), options)
    const root = survey.classOf(ROOT_OID)
    if (root?.className !== PersistentMap.className) {
      throw new PerdureError(
        'PERDURE_UNSUPPORTED',
        `The root of ${source.path} is a ${root?.pythonName}, which does not become a PersistentMap, as the root of a database must. Map it to "PersistentMap".`,
        { details: { path: source.path, className: root?.pythonName ?? '' } },
      )
    }
    return new DurusMapper(source, survey, mapping)
  }

  /** How many objects can be reached. */
  get objects(): number {
    return this.#survey.objects
  }

  /** No object has this oid or one above it, so far. */
  get nextOid(): Oid {
    return this.#nextOid
  }

  /** Every object that is to be mapped, in the order in which they are best read. */
  *pending(): Generator<PendingObject, void> {
    const left: Oid[] = []
    for (const oid of this.#source.oids()) {
      const type = this.#survey.classOf(oid)
      if (type?.family === 'node' && !this.#isKept(oid, type)) left.push(oid)
      else if (type !== undefined) yield* this.#load(oid, type)
    }
    // By now all trees have been mapped, and it is known which of their values are nodes.
    for (const oid of left) {
      const type = this.#survey.classOf(oid)
      if (type !== undefined && this.#isKept(oid, type)) yield* this.#load(oid, type)
    }
  }

  *#load(oid: Oid, type: MappedClass): Generator<PendingObject, void> {
    const object = this.#source.load(oid)
    if (object !== undefined) yield { object, type }
  }

  /** Maps one object. @returns one, or those that a BTree is made of */
  map({ object, type }: PendingObject): Iterable<MappedObject> {
    if (type.family !== 'tree') return [this.#mapper.map(object, type)]
    return this.#mapper.mapTree(this.#source, object, type, () => this.#allocate())
  }

  /** Whether threads can map the objects: functions of the user's cannot be sent to them. */
  get canUseThreads(): boolean {
    return this.#survey.types.every((type) => type?.convert === undefined) && !this.#hasConverters
  }

  /** Threads that map what is no BTree. They are to be disposed of. */
  pipeline(serializer: string, write: (chunk: RecordChunk) => Promise<void>): MapPipeline {
    return new MapPipeline({
      classes: this.#survey.types,
      typeOf: (oid) => this.#survey.typeOf(oid),
      serializer,
      onResult: async ({ chunk, changes }) => {
        this.#changes.add(changes)
        await write(chunk)
      },
    })
  }

  /** Whether a node of a BTree is kept as it is, besides being made anew. */
  #isKept(oid: Oid, { pythonName }: MappedClass): boolean {
    if (!this.#survey.isStray(oid)) return false
    if (this.#changes.count('tree-node')) {
      const found = 'a node of a BTree, to which something else refers'
      this.#changes.keep('tree-node', { oid, className: pythonName, path: '', found, stored: 'an object of its own' })
    }
    return true
  }

  #allocate(): Oid {
    if (this.#nextOid <= MAX_ID) return this.#nextOid++
    throw new PerdureError('PERDURE_LIMIT', 'There are no oids left for the nodes of BTrees.')
  }

  /** All classes of objects that can be reached, the most frequent first. */
  classes(): ImportedClass[] {
    const { hasStrays } = this.#survey
    const classes = Array.from(this.#survey.classes(), ({ pythonName, className, family, objects }) => ({
      pythonName,
      className: family === 'node' && !hasStrays ? BTreeNode.className : className,
      objects,
    }))
    return classes.sort((a, b) => b.objects - a.objects || (a.pythonName < b.pythonName ? -1 : 1))
  }

  /** What could not be mapped one to one so far. */
  changes(): ChangeSummary[] {
    return this.#changes.summaries()
  }
}
