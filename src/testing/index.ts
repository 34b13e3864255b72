export { type StorageSuiteOptions, SUITE_SERIALIZER, storageSuite, type TestHarness } from './storage-suite.js'
