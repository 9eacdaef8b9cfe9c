// A load on a host's web server from outside, over a fresh connection for every request, and what became of each.
import { request } from 'node:http'

export type Load = {
  /** Stops asking; resolves when the last answer is in. */
  stop(): Promise<LoadResult>
}

export type LoadResult = {
  readonly answered: number
  /** Why, of each request that was not answered with 200. */
  readonly failed: readonly string[]
  readonly bodies: ReadonlySet<string>
}

const workers = 4

export function startLoad(url: string): Load {
  const failed: string[] = []
  const bodies = new Set<string>()
  let answered = 0
  let isOver = false
  const work = async () => {
    while (!isOver) {
      try {
        bodies.add(await answerOf(url))
        answered += 1
      } catch (error) {
        failed.push(error instanceof Error ? error.message : String(error))
      }
    }
  }
  const all = Promise.all(Array.from({ length: workers }, work))
  return {
    stop: async () => {
      isOver = true
      await all
      return { answered, failed, bodies }
    },
  }
}

function answerOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, timeout: 10_000 }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 200) resolve(body)
        else reject(new Error(`it answered ${response.statusCode}`))
      })
    })
    asked.once('timeout', () => asked.destroy(new Error('no answer within 10 s')))
    asked.once('error', reject)
    asked.end()
  })
}
