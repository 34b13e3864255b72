// The package has this entry but no types for it: they are the same.
declare module 'msgpackr/index-no-eval' {
  export { addExtension, Packr, RESET_BUFFER_MODE } from 'msgpackr'
}
