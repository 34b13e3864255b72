export { checkRequest } from './check-request.js'
