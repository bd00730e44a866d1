// Writes src/api.d.ts from openapi.json; with --check, only says whether it is current.
import { readFile, writeFile } from 'node:fs/promises'
import openapiTS, { astToString } from 'openapi-typescript'

const source = new URL('../openapi.json', import.meta.url)
const target = new URL('../src/api.d.ts', import.meta.url)
const head = '// Made from openapi.json by `npm run api-types`. Do not edit.\n\n'

const made = head + astToString(await openapiTS(source))
if (process.argv.includes('--check')) {
  const committed = await readFile(target, 'utf8').catch(() => '')
  if (committed !== made) {
    console.error('src/api.d.ts is not current: run `npm run api-types`')
    process.exit(1)
  }
} else {
  await writeFile(target, made)
}
