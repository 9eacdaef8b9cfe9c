// In the grid of the fleet page the arrow keys go from link to link: along a row, and along a column over what is no link.
// Without it each cell is reached by way of its host's page.

const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }

document.addEventListener('keydown', (event) => {
  const step = steps[event.key]
  const cell = event.target.closest('#grid th, #grid td')
  if (step === undefined || cell === null || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
  const link = nextLink(cell, step)
  if (link === null) return
  event.preventDefault()
  link.focus()
})

function nextLink(cell, [down, across]) {
  const { rows } = cell.closest('table')
  let row = cell.parentElement.rowIndex
  let column = cell.cellIndex
  while (true) {
    row += down
    column += across
    const next = rows[row]?.cells[column]
    if (next === undefined) return null
    const link = next.querySelector('a')
    if (link !== null) return link
  }
}
