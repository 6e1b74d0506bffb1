/**
 * Writes docs/commands.md: every command with a real invocation and what it printed.
 *
 *     npm run build && node scripts/commands-doc.mjs [--demo FILE]
 *
 * --demo takes the demo's lines from a file, as `espalier demo > FILE` wrote them, instead of running it, which takes minutes.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'

const root = join(import.meta.dirname, '..')
const { values } = parseArgs({ options: { demo: { type: 'string' } } })
const folder = mkdtempSync(join(tmpdir(), 'espalier-commands-'))

const espalier = (words) =>
  execFileSync(process.execPath, [join(root, 'dist/cli/main.js'), ...words], { cwd: folder, encoding: 'utf8' })

/** The first and last lines of a long text. */
const trimmed = (text, most = 24) => {
  const lines = text.trimEnd().split('\n')
  if (lines.length <= most) return lines.join('\n')
  return [...lines.slice(0, most - 9), '…', ...lines.slice(-8)].join('\n')
}

const shown = (line, text) => `\`\`\`console\n$ espalier ${line}\n${trimmed(text)}\n\`\`\``
const part = ({ title, words, lines }) =>
  [`## ${title}`, words, ...lines.map((line) => shown(line, espalier(line.split(' '))))].join('\n\n')

for (const file of ['gradients/gpt.onnx', 'gradients/gpt.safetensors', 'optimizer-traces/adabelief.safetensors'])
  cpSync(join(root, 'fixtures', file), join(folder, basename(file)))

const parts = [
  {
    title: 'train',
    words:
      'MODEL is an ONNX file or a named network. The folder gets `model.onnx`, `report.html`, `metrics.jsonl` and the checkpoints that `--resume` goes on from.',
    lines: ['train seed-cnn --data mnist --epochs 0.2 --evaluate-every 60 --out seed'],
  },
  {
    title: 'inspect',
    words: 'What a file holds: ONNX, TensorFlow checkpoint, safetensors, npz or npy.',
    lines: ['inspect seed/model.onnx'],
  },
  {
    title: 'analyze',
    words: 'Every kernel’s figures, the weakest first, and what a ratio would remove.',
    lines: ['analyze seed/model.onnx'],
  },
  {
    title: 'prune',
    words:
      'One target: `--ratio`, `--macs`, `--params`, `--bytes`, `--latency`, or `--best LAYER=N`. `--dry-run` only says what would go; `--retrain` with `--data` trains what is left, in `--steps` rounds.',
    lines: [
      'prune seed/model.onnx --macs 0.5 --dry-run',
      'prune seed/model.onnx --ratio 0.5 --out half.onnx --plan half.json',
    ],
  },
  {
    title: 'verify',
    words: 'The proof: the original with the removed slices at zero gives what the pruned file gives.',
    lines: ['verify seed/model.onnx half.onnx --plan half.json'],
  },
  {
    title: 'compare',
    words: 'Any files that answer the same question, side by side.',
    lines: ['compare seed/model.onnx half.onnx --data mnist'],
  },
  {
    title: 'bench',
    words: 'A training step beside the forward pass alone; time and memory of pruning.',
    lines: ['bench train --network seed-cnn --steps 40', 'bench prune --network lenet-5'],
  },
  {
    title: 'parity',
    words: 'Gradients and optimizers against what another system recorded.',
    lines: ['parity gradients gpt.onnx gpt.safetensors', 'parity optimizer adabelief.safetensors'],
  },
]

const demo = values.demo ? readFileSync(values.demo, 'utf8') : espalier(['demo'])
const told = demo
  .split('\n')
  .filter((line) => !line.startsWith('Epoch: '))
  .join('\n')
const text = `# Commands

Every command with what it printed. \`espalier COMMAND --help\` lists all its flags, \`--json\` prints one JSON document instead;
exit 0 done, 1 failed with a one-line reason, 2 wrong usage. Long outputs are cut at the “…”.

Made by \`npm run build && node scripts/commands-doc.mjs\`; the times are those of the machine it ran on, two cores.

${shown('', espalier(['--help'])).replace('espalier \n', 'espalier --help\n')}

${parts.map(part).join('\n\n')}

## demo

The whole story on MNIST, in minutes; beside the files it writes a page with the pictures, \`runs/demo/report.html\`. The lines of
its training (\`Epoch: 0 | step 50 | train loss: 2.2313 | test accuracy: 34.85 %\` and on) are left out here.

\`\`\`console
$ espalier demo
${told.trimEnd()}
\`\`\`
`
writeFileSync(join(root, 'docs/commands.md'), text)
rmSync(folder, { recursive: true })
