// Text from hosts and commits on a page, and in a command to copy from one.
export { shellWord } from '../../../shared/shell-word.ts'
export { visibleText } from '../../../shared/visible-text.ts'
