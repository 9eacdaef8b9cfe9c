// A process that claims the directory it is given and holds it until it is killed.
import { claimDirectory } from '../../../server/store/claim.ts'

claimDirectory(process.argv[2] ?? '')
process.send?.('claimed')
setInterval(() => {}, 1000)
