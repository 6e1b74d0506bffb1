// Puts the tables and curves of two benches into docs/optimizers-benchmark.md, where what stands between its marks is
// replaced, and every run's result beside it.
//   node scripts/optimizers-doc.mjs runs/optimizers runs/centralization
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const folders = process.argv.slice(2)
if (folders.length !== 2) {
  console.error('write: node scripts/optimizers-doc.mjs OPTIMIZERS_DIR CENTRALIZATION_DIR')
  process.exit(2)
}
const page = new URL('../docs/optimizers-benchmark.md', import.meta.url)
const pictures = new URL('../docs/img/', import.meta.url).pathname
mkdirSync(pictures, { recursive: true })

let text = readFileSync(page, 'utf8')
for (const [i, name] of ['optimizers', 'centralization'].entries()) {
  for (const file of readdirSync(folders[i]).filter((file) => file.endsWith('.svg')))
    copyFileSync(join(folders[i], file), join(pictures, file))
  const results = readFileSync(join(folders[i], 'results.md'), 'utf8').replaceAll(/\]\((?=[\w-]+\.svg\))/g, '](img/')
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/optimizers-benchmark.md lacks its marks '${begin}' and '${end}'`)
  text = `${text.slice(0, from + begin.length)}\n\n${results.trim()}\n\n${text.slice(to)}`
}
writeFileSync(page, text)
copyFileSync(join(folders[0], 'results.jsonl'), new URL('../docs/optimizers-benchmark.jsonl', import.meta.url))
