import { lineChart } from 'espalier/report'

const $ = (id) => document.getElementById(id)
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })

/** Has the worker do something; it does one thing after another. */
const ask = (action, details = {}) => {
  const id = crypto.randomUUID?.() ?? String(Math.random())
  worker.postMessage({ id, action, ...details })
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
}
const waiting = new Map()
worker.addEventListener('message', ({ data: { id, result, error, event } }) => {
  if (event) return onTraining(event)
  const { resolve, reject } = waiting.get(id)
  waiting.delete(id)
  if (error === undefined) resolve(result)
  else reject(new Error(error))
})

/** What is on the page: the network, and what training has drawn so far. */
const page = { name: 'seed-cnn', network: undefined, prunes: 0, losses: [], marks: [], from: 0 }

const say = (id, text, wrong = false) => {
  $(id).textContent = text
  $(id).classList.toggle('wrong', wrong)
}
const percent = (share) => `${(100 * share).toFixed(1)} %`
const count = (n) =>
  n < 1e4 ? n.toLocaleString('en-US') : n < 1e6 ? `${(n / 1e3).toFixed(1)} k` : `${(n / 1e6).toFixed(1)} M`
const size = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`)
const several = (n, one, more = `${one}s`) => `${n} ${n === 1 ? one : more}`
const ratio = () => $('ratio').valueAsNumber / 100

/** Buttons rest while the worker works. */
const busy = async (what, where, work) => {
  for (const button of document.querySelectorAll('button, input')) button.disabled = true
  say(where, what)
  try {
    await work()
  } catch (error) {
    say(where, error.message, true)
  }
  const { network } = page
  for (const button of document.querySelectorAll('button, input')) button.disabled = false
  $('stop').disabled = true
  $('prune').disabled = $('ratio').disabled = !network?.groups.length
  $('download').disabled = !network
  $('train').disabled = !network?.learns
}

const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

const show = (network) => {
  page.network = network
  const { groups, frozen, learns } = network
  say('name', `${page.name}${page.prunes > 0 ? ', pruned' : ''}: ${several(groups.length, 'prunable group')}`)
  $('groups').replaceChildren(
    ...groups.map(({ name, size: units, approximate }) =>
      make(
        'li',
        { title: approximate ?? '' },
        make('b', { textContent: name }),
        make('span', { textContent: approximate ? 'left alone' : `${units} units` }),
        make('div', { className: 'bar whole' }, make('i', { style: 'width: 100%' })),
      ),
    ),
  )
  $('frozen').hidden = frozen.length === 0
  $('frozen').querySelector('summary').textContent =
    `${several(frozen.length, 'axis', 'axes')} must stay whole, and why`
  $('frozen')
    .querySelector('ul')
    .replaceChildren(
      ...frozen.map(({ value, axis, reason }) =>
        make('li', {}, make('code', { textContent: value }), ` axis ${axis}: ${reason}`),
      ),
    )
  if (!learns) say('score', 'This network does not read 28 × 28 digits, so it is not trained here.')
  return preview()
}

/** What the slider would remove. */
const preview = async () => {
  $('share').textContent = `${$('ratio').value} %`
  const { network } = page
  if (!network?.groups.length) return showCosts(network?.cost)
  const { kept, cost } = await ask('plan', { ratio: ratio() })
  if (page.network !== network) return
  for (const [i, item] of [...$('groups').children].entries()) {
    const { size: units, approximate } = network.groups[i]
    if (approximate) continue
    item.querySelector('span').textContent = kept[i] < units ? `${kept[i]} of ${units} stay` : `${units} stay`
    item.querySelector('.bar').classList.toggle('whole', kept[i] === units)
    item.querySelector('i').style.width = `${(100 * kept[i]) / units}%`
  }
  showCosts(network.cost, cost)
}

const showCosts = (now, pruned) =>
  $('costs').replaceChildren(
    ...[
      ['file', 'bytes', size],
      ['parameters', 'parameters', count],
      ['multiplications', 'macs', count],
    ].map(([label, key, text]) =>
      make(
        'tr',
        {},
        make('th', { textContent: label }),
        make('td', { textContent: now ? text(now[key]) : '' }),
        make('td', { textContent: pruned ? text(pruned[key]) : '–' }),
      ),
    ),
  )

const open = (file) =>
  busy(`Reading ${file?.name ?? 'seed-cnn'} …`, 'proof', async () => {
    const network = await ask('open', { file: file?.name, bytes: await file?.arrayBuffer() })
    Object.assign(page, { name: file?.name ?? 'seed-cnn', prunes: 0, losses: [], marks: [] })
    say('proof', '')
    say('score', network.learns && !file ? 'Untrained: its weights are random.' : '')
    draw()
    await show(network)
  })

const prune = () =>
  busy('Pruning, and proving it …', 'proof', async () => {
    const network = await ask('prune', { ratio: ratio() })
    page.prunes++
    if (page.losses.length > 0) page.marks.push({ step: page.losses.at(-1)[0], label: 'pruned' })
    draw()
    await show(network)
    if (network.equal)
      say(
        'proof',
        `Proven equal to the original with the removed parts at zero (difference ${network.difference.toExponential(1)}).`,
      )
    else say('proof', `Not equal to the original: ${network.difference.toExponential(1)} apart.`, true)
  })

const download = () =>
  busy('', 'proof', async () => {
    const url = URL.createObjectURL(new Blob([await ask('file')], { type: 'application/octet-stream' }))
    const name = `${page.name.replace(/\.onnx$/, '')}${page.prunes > 0 ? '.pruned' : ''}.onnx`
    make('a', { href: url, download: name }).click()
    setTimeout(() => URL.revokeObjectURL(url), 10_000)
    say('proof', `Saved as ${name}.`)
  })

const train = () =>
  busy('Making the training graph …', 'score', async () => {
    $('stop').disabled = false
    page.from = page.losses.at(-1)?.[0] ?? 0
    const network = await ask('train', { pruned: page.prunes > 0 })
    say('score', `${percent(network.accuracy)} of the test digits read right.`)
    await show(network)
  })

const onTraining = (event) => {
  const step = page.from + event.step
  if (event.type === 'step') page.losses.push([step, event.loss])
  else say('score', `Step ${event.step}: ${percent(event.accuracy)} of the test digits read right.`)
  if (drawing === 0) drawing = requestAnimationFrame(draw)
}

let drawing = 0
const draw = () => {
  drawing = 0
  if (page.losses.length < 2) {
    $('curve').textContent = 'The loss will be drawn here, step by step.'
    return
  }
  const loss = { name: 'training loss', points: page.losses, noisy: true }
  $('curve').innerHTML = lineChart({
    title: 'Training loss',
    x: 'step',
    y: 'loss',
    curves: [loss],
    marks: page.marks,
    height: 280,
  }).text
}

const dropped = (files) => {
  const onnx = files.find(({ name }) => name.endsWith('.onnx'))
  if (onnx) return open(onnx)
  if (files.length > 0)
    return busy('Reading the digits …', 'score', async () => {
      const found = await ask('digits', { files })
      say('data', `${count(found.train)} digits to learn from and ${count(found.test)} to be tested on.`)
      say('score', '')
    })
}

$('fresh').onclick = () => open()
$('onnx').onchange = ({ target }) => dropped([...target.files])
let settling
$('ratio').oninput = () => {
  $('share').textContent = `${$('ratio').value} %`
  clearTimeout(settling)
  settling = setTimeout(() => preview().catch((error) => say('proof', error.message, true)), 120)
}
$('prune').onclick = prune
$('download').onclick = download
$('train').onclick = train
$('stop').onclick = () => worker.postMessage({ action: 'stop' })
addEventListener('dragover', (event) => {
  event.preventDefault()
  document.body.classList.add('dropping')
})
addEventListener('dragleave', () => document.body.classList.remove('dropping'))
addEventListener('drop', (event) => {
  event.preventDefault()
  document.body.classList.remove('dropping')
  dropped([...event.dataTransfer.files])
})

open()
