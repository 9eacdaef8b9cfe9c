// `npm run bench -- WHAT`: each figure as a ratio between things measured in turn in one run.
//   (nothing) or a number of files   first apply and check, whole processes
//   hashing [FILES...]               full and stat-only checks beside sha256sum, find, rsync, cf-agent, puppet and aide
//   rest [FILES]                     memory and processor time of the agent at rest, default 10,000 watched files
//   alerts [EDITS]                   from an edit on a booted host to the alert at a webhook, default 500
const [what = ''] = process.argv.slice(2)

if (what === 'hashing') await import('./hashing.ts')
else if (what === 'alerts') await import('./alerts.ts')
else if (what === 'rest') await import('./rest.ts')
else await import('./engine.ts')
