export { type SerializerSuiteOptions, serializerSuite } from './serializer-suite.js'
export { type StorageSuiteOptions, SUITE_SERIALIZER, storageSuite, type TestHarness } from './storage-suite.js'
