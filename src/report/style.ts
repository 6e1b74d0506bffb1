/** Colours in light and dark, told apart by every kind of colour vision: teal stays, orange goes. */
const light = `
  --paper: #fbfaf7; --card: #ffffff; --ink: #1c2422; --soft: #5d6864; --faint: #6b7571; --hair: #e4e2da;
  --stay: #0b7a75; --stay-soft: #cfe7e3; --go: #bb5209; --go-soft: #f7e2d0;
  --c0: #0b7a75; --c1: #bb5209; --c2: #4b53c4; --c3: #a83a86;
  --k0: #1b6ca8; --k1: #bb5209; --k2: #0b7f52; --k3: #b3261e; --k4: #7547b3;
  --k5: #7d5a3c; --k6: #bf3a86; --k7: #59636d; --k8: #7d7800; --k9: #067c92;
  --on-strong: #ffffff; --shadow: 0 1px 2px rgb(0 0 0 / .05), 0 6px 20px rgb(30 40 35 / .05);`

const dark = `
  --paper: #131817; --card: #1a211f; --ink: #e7ece9; --soft: #a3afaa; --faint: #8a9691; --hair: #2c3633;
  --stay: #45c4b7; --stay-soft: #1c4641; --go: #f29a4e; --go-soft: #4d3118;
  --c0: #45c4b7; --c1: #f29a4e; --c2: #9ba4ff; --c3: #ec8ac9;
  --k0: #6db7ee; --k1: #f29a4e; --k2: #5fd39f; --k3: #ff8a80; --k4: #bf9bf2;
  --k5: #d3ab88; --k6: #f58ac4; --k7: #b4bec7; --k8: #d6d05c; --k9: #5fd5e6;
  --on-strong: #10201d; --shadow: none;`

/** The page's style sheet. Drawings take their colours from the same variables. */
export const style = `
:root { color-scheme: light dark; ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
@media print { :root { ${light} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
main, header, footer { max-width: 1040px; margin: 0 auto; padding: 0 28px; }
header { padding-top: 64px; }
h1, h2, .big { font-family: ui-serif, "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif 4", Georgia, "DejaVu Serif", serif; }
.over { margin: 0 0 18px; color: var(--stay); font-weight: 600; font-size: 14px; letter-spacing: .02em; }
.over svg { width: 18px; height: 18px; vertical-align: -3px; margin-right: 8px; }
h1 { font-weight: 600; font-size: clamp(28px, 4.6vw, 46px); line-height: 1.15; letter-spacing: -.012em; margin: 0 0 16px; max-width: 22em; text-wrap: balance; }
h2 { font-weight: 600; font-size: 27px; line-height: 1.25; margin: 0 0 8px; letter-spacing: -.005em; }
h1, h2, .lead, section p { overflow-wrap: anywhere; }
h2 .n { color: var(--stay); font-variant-numeric: tabular-nums; margin-right: .45em; }
h3 { font-size: 16px; margin: 32px 0 4px; }
p { margin: 0 0 14px; max-width: 68ch; }
.lead { font-size: 18px; color: var(--soft); max-width: 62ch; }
.soft { color: var(--soft); } .small { font-size: 14px; }
section { margin: 76px 0 0; }
code, pre { font-family: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, monospace; font-size: .9em; }
pre { margin: 12px 0; padding: 14px 16px; background: var(--card); border: 1px solid var(--hair); border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; } pre span { display: inline-block; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 14px; margin: 34px 0 0; padding: 0; list-style: none; }
.cards li { background: var(--card); border: 1px solid var(--hair); border-radius: 12px; padding: 16px 18px; box-shadow: var(--shadow); }
.cards .what { color: var(--soft); font-size: 14px; }
.cards .was { color: var(--soft); font-size: 16px; font-variant-numeric: tabular-nums; }
.cards .big { display: block; font-size: 31px; line-height: 1.2; font-weight: 600; margin: 2px 0 4px; white-space: nowrap; font-variant-numeric: lining-nums; }
.cards .gain { font-size: 14px; font-weight: 600; color: var(--stay); } .cards .gain.worse { color: var(--go); }
.pair { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 20px; margin: 22px 0 0; }
.pair.many { grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 14px; }
.pair.many svg.chart { font-size: 18px; }
.beside { display: grid; grid-template-columns: minmax(0, 1fr); gap: 22px; }
.beside .tabs { margin-top: 0; }
@media (min-width: 900px) { .beside { grid-template-columns: minmax(0, 1fr) minmax(0, 560px); gap: 48px; align-items: start; } .beside > :first-child { position: sticky; top: 28px; } .beside h3 { margin-top: 4px; } section > * ~ .beside { margin-top: 44px; } }
.one { margin: 22px 0 0; max-width: 540px; }
figure { margin: 0; min-width: 0; background: var(--card); border: 1px solid var(--hair); border-radius: 12px; padding: 16px 18px 12px; box-shadow: var(--shadow); }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 14px; font-weight: 600; font-size: 15px; margin: 0 0 12px; line-height: 1.35; overflow-wrap: anywhere; }
figcaption small { font-weight: 400; color: var(--soft); font-size: 14px; }
figure .below { margin: 8px 0 4px; font-size: 14px; color: var(--soft); }
.tools { display: flex; flex-wrap: wrap; gap: 6px 20px; align-items: center; margin: 18px 0 -8px; font-size: 14px; color: var(--soft); }
.tools label { cursor: pointer; }
.tools input { accent-color: var(--stay); margin: 0 6px 0 0; vertical-align: -1px; }
.key { display: inline-flex; flex-wrap: wrap; gap: 3px 16px; margin: 0; padding: 0; list-style: none; font-size: 14px; font-weight: 400; color: var(--soft); }
.key li { display: inline-flex; align-items: center; }
.key i { width: 14px; height: 4px; border-radius: 2px; margin-right: 7px; background: var(--c); flex: none; }
.key.blocks i { height: 12px; border-radius: 3px; } .key i.hollow { background: none; border: 1.5px solid var(--go); }
.scroll { overflow-x: auto; margin: 22px 0 0; border: 1px solid var(--hair); border-radius: 12px; background: var(--card); box-shadow: var(--shadow); }
.scroll:focus-visible { outline: 2px solid var(--stay); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums lining-nums; }
th, td { padding: 11px 16px; text-align: right; vertical-align: top; border-top: 1px solid var(--hair); white-space: nowrap; }
thead th { border-top: 0; color: var(--soft); font-weight: 500; font-size: 14px; }
th:first-child { text-align: left; font-weight: 600; position: sticky; left: 0; background: var(--card); }
td small { display: block; color: var(--faint); font-size: 13px; } tr.last td small { color: var(--stay); font-weight: 600; }
th small { display: block; font-weight: 400; color: var(--faint); font-size: 13px; }
.tabs { border: 0; padding: 0; margin: 22px 0 0; min-width: 0; }
.tabs > input { position: absolute; opacity: 0; pointer-events: none; }
.tabs > label { display: inline-block; padding: 6px 14px; margin: 0 4px 12px 0; border: 1px solid var(--hair); border-radius: 99px; font-size: 14px; cursor: pointer; color: var(--soft); background: var(--card); }
.tabs > input:checked + label { color: var(--paper); background: var(--ink); border-color: var(--ink); }
.tabs > input:focus-visible + label { outline: 2px solid var(--stay); outline-offset: 2px; }
.panels > * { display: none; }
${[1, 2, 3, 4, 5, 6].map((k) => `.tabs > input:nth-of-type(${k}):checked ~ .panels > :nth-child(${k})`).join(', ')} { display: block; }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(72px, 1fr)); gap: 14px 8px; margin: 14px 0 0; padding: 0; list-style: none; }
.answers li { text-align: center; font-size: 14px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.answers img { display: block; width: 56px; height: 56px; margin: 0 auto 5px; border-radius: 6px; image-rendering: pixelated; background: #000; }
.answers b { font-weight: 600; } .answers .right { color: var(--stay); } .answers .wrong { color: var(--go); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 12px 24px; margin: 16px 0 0; font-size: 15px; }
dt { color: var(--soft); font-size: 14px; } dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 90px; padding-top: 20px; padding-bottom: 44px; color: var(--faint); font-size: 14px; }

svg.chart { display: block; width: 100%; height: auto; overflow: visible; font-size: 13px; font-variant-numeric: tabular-nums; }
.chart text { fill: var(--soft); }
.chart .grid { stroke: var(--hair); } .chart .base, .chart .tick { stroke: var(--faint); }
.chart .axis-name { fill: var(--faint); }
.line path { fill: none; stroke: var(--c); stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.line .raw { stroke-width: 1; opacity: .22; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.unsmoothed .line .smooth { display: none; } .unsmoothed .line .raw { opacity: .9; }
.mark line { stroke: var(--ink); stroke-dasharray: 2 3; opacity: .55; } .mark text { fill: var(--ink); font-weight: 600; }
svg [hidden] { display: none; }
.pointer line { stroke: var(--ink); opacity: .4; }
.importance .kept { fill: var(--stay); } .importance .gone { fill: var(--go); }
.importance .kept-label { fill: var(--stay); font-weight: 600; } .importance .gone-label { fill: var(--go); font-weight: 600; }
.cut line { stroke: var(--ink); stroke-dasharray: 5 4; } .cut text { fill: var(--ink); font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
.bars .bar { fill: var(--faint); opacity: .55; } .bars .bar.last { fill: var(--stay); opacity: 1; } .bars text { fill: var(--ink); font-size: 14px; }
.bars .spread { fill: none; stroke: var(--ink); stroke-width: 1.2; opacity: .65; } .bars .value { font-weight: 600; }
.map .field { fill: none; stroke: none; }
${[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((k) => `.k${k} { --c: var(--k${k}); }`).join(' ')}
.map g text { fill: var(--c); font-size: 12px; font-weight: 600; text-anchor: middle; cursor: default; } .map circle { fill: var(--c); fill-opacity: .8; }
.map .ring { fill: none; stroke: var(--ink); stroke-width: 1.4; }
.map .same text { font-size: 22px; stroke: var(--card); stroke-width: 4px; paint-order: stroke; } .map circle.same { stroke: var(--ink); stroke-width: 3px; }
.pareto .trail { fill: none; stroke: var(--faint); stroke-width: 1.6; stroke-dasharray: 1 4; stroke-linecap: round; }
.pareto .dot { fill: var(--card); stroke: var(--stay); stroke-width: 2.2; } .pareto .chosen .dot { fill: var(--stay); } .pareto .chosen text { fill: var(--ink); font-weight: 600; }
.pareto g > text { paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
.confusion g text { text-anchor: middle; fill: var(--ink); font-size: 12.5px; } .confusion .axis text { fill: var(--ink); font-weight: 600; }
.confusion .axis text[text-anchor=end] { text-anchor: end; } .confusion .rate { text-anchor: end; } .confusion .axis .upright { text-anchor: start; }
.confusion .hit rect { fill: var(--stay); } .confusion .miss rect { fill: var(--go); } .confusion .strong text { fill: var(--on-strong); font-weight: 600; }
.confusion .none rect { fill: var(--faint); stroke: var(--hair); }
.network .kept { fill: var(--stay); } .network .gone { fill: none; stroke: var(--go); opacity: .7; }
.network .veil { fill: var(--go); opacity: .07; } .network .veil.kept { fill: var(--stay); opacity: .2; }
.network .name { fill: var(--ink); font-weight: 600; } .network .kind { font-size: 12px; fill: var(--soft); } .network .widths { text-anchor: end; fill: var(--ink); font-size: 14px; }
.network .now { fill: var(--stay); font-weight: 700; } .network .reach { fill: transparent; } .network .frozen .kept { fill: var(--faint); }
.network .skip { fill: none; stroke: var(--faint); stroke-width: 1.4; } .network .coupled .reach { fill: var(--stay); opacity: .1; }
.groups .kept { fill: var(--stay); } .groups .gone { fill: none; stroke: var(--go); opacity: .7; } .groups .veil { fill: none; stroke: var(--stay); stroke-width: 5; opacity: .2; }
.groups .name, .groups .widths { fill: var(--ink); font-size: 13px; } .groups .widths { font-weight: 600; } .groups .kind { fill: var(--soft); font-size: 12px; }
.kernels .plate { fill: var(--paper); stroke: var(--hair); } .kernels .plus { fill: var(--stay); } .kernels .minus { fill: var(--go); }
.kernels text { text-anchor: middle; font-size: 12px; } .kernels .gone .picture { opacity: .38; } .kernels .kept text { fill: var(--ink); font-weight: 600; }
.tip { position: fixed; z-index: 9; pointer-events: none; max-width: 260px; padding: 7px 11px; border-radius: 8px; background: var(--ink); color: var(--paper); font-size: 13px; line-height: 1.45; font-variant-numeric: tabular-nums; white-space: pre-line; box-shadow: 0 4px 18px rgb(0 0 0 / .22); }
.tip .face { display: block; width: 56px; height: 56px; margin: 3px auto; border-radius: 4px; image-rendering: pixelated; }
@media (max-width: 600px) {
  main, header, footer { padding: 0 16px; } header { padding-top: 36px; } footer { padding: 20px 16px 36px; }
  section { margin-top: 56px; } h2 { font-size: 23px; }
  .cards { grid-template-columns: 1fr 1fr; gap: 10px; } .cards li { padding: 12px 13px; } .cards .big { font-size: 23px; }
  figure { padding: 12px 10px 8px; } svg.chart { font-size: 15px; } .map g text { font-size: 14px; } .network .kind { font-size: 13.5px; }
  dl { grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); }
  th, td { padding: 9px 11px; }
}
@media print {
  body { background: #fff; } .tools, .tip, .tabs > label { display: none; } .panels > * { display: block !important; margin-bottom: 16px; }
  section { margin-top: 36px; } figure, .cards li, .answers li { break-inside: avoid; box-shadow: none; } h2 { break-after: avoid; }
}
`
