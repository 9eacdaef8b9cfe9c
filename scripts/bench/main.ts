// `npm run bench -- WHAT`: each figure as a ratio between things measured in turn in one run.
//   (nothing) or a number of files   first apply and check, whole processes
//   hashing [FILES...]               full and stat-only checks beside sha256sum, find, rsync, cf-agent, puppet and aide
const [what = ''] = process.argv.slice(2)

if (what === 'hashing') await import('./hashing.ts')
else await import('./engine.ts')
