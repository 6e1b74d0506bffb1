/**
 * The page's own script: what lies under the pointer is told in a small box, the same input is found on the other map,
 * coupled layers light up together, and averaging can be switched off. Without it the page is whole but still.
 */
export const script = `
'use strict';
(() => {
  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  document.body.append(tip);
  const hide = () => { tip.hidden = true; };
  const show = (event, text, face) => {
    tip.textContent = text;
    if (face) tip.prepend(face);
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const x = event.clientX + 14 + width > innerWidth ? event.clientX - width - 10 : event.clientX + 14;
    const y = event.clientY + 16 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 16;
    tip.style.left = Math.max(4, x) + 'px';
    tip.style.top = Math.max(4, y) + 'px';
  };

  // The browser's own tooltips give way to the box; the drawing keeps its name in aria-label.
  for (const title of document.querySelectorAll('svg title')) {
    if (!title.parentNode.matches('svg')) title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }

  const faceOf = (mark) => {
    const maps = mark.closest('[data-sprite]');
    if (!maps || mark.dataset.i === undefined) return null;
    const i = Number(mark.dataset.i), columns = Number(maps.dataset.columns), rows = Number(maps.dataset.rows);
    const face = document.createElement('i');
    face.className = 'face';
    face.style.background = 'url(' + maps.dataset.sprite + ') ' + -56 * (i % columns) + 'px ' + -56 * Math.floor(i / columns) + 'px / ' + 56 * columns + 'px ' + 56 * rows + 'px';
    return face;
  };
  let lit = [];
  const light = (elements, name) => {
    for (const [element, old] of lit) element.classList.remove(old);
    lit = [...elements].map((element) => [element, name]);
    for (const [element] of lit) element.classList.add(name);
  };

  document.addEventListener('pointermove', (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const plot = target && target.closest('svg[data-plot]');
    if (plot) return point(plot, event);
    const mark = target && target.closest('[data-tip]');
    const group = target && target.closest('[data-group]');
    if (group) light([...group.ownerSVGElement.querySelectorAll('[data-group]')].filter((g) => g.dataset.group === group.dataset.group), 'coupled');
    else if (mark && mark.dataset.i !== undefined) light(mark.closest('.pair').querySelectorAll('[data-i="' + mark.dataset.i + '"]'), 'same');
    else light([], '');
    if (mark) show(event, mark.dataset.tip, faceOf(mark)); else hide();
  });
  document.addEventListener('pointerleave', hide);
  addEventListener('scroll', hide, { passive: true });

  const plots = new WeakMap();
  const point = (svg, event) => {
    if (!plots.has(svg)) plots.set(svg, JSON.parse(svg.dataset.plot));
    const { frame: [left, right, top, bottom], domain: [from, to], x, curves } = plots.get(svg);
    const area = svg.getBoundingClientRect();
    const at = (event.clientX - area.left) / area.width * svg.viewBox.baseVal.width;
    const pointer = svg.querySelector('.pointer');
    if (at < left - 4 || at > right + 4) { pointer.setAttribute('hidden', ''); return hide(); }
    const value = from + (at - left) / (right - left) * (to - from);
    const lines = [];
    let nearest;
    for (const { name, points } of curves) {
      if (!points.length) continue;
      const best = points.reduce((a, b) => Math.abs(b[0] - value) < Math.abs(a[0] - value) ? b : a);
      lines.push(name + ' ' + best[2]);
      if (!nearest || Math.abs(best[0] - value) < Math.abs(nearest[0] - value)) nearest = best;
    }
    if (!nearest) return hide();
    const where = left + (nearest[0] - from) / ((to - from) || 1) * (right - left);
    const line = pointer.querySelector('line');
    line.setAttribute('x1', where);
    line.setAttribute('x2', where);
    pointer.removeAttribute('hidden');
    show(event, x + ' ' + nearest[0].toLocaleString('en-US') + '\\n' + lines.join('\\n'));
  };
  for (const svg of document.querySelectorAll('svg[data-plot]'))
    svg.addEventListener('pointerleave', () => { svg.querySelector('.pointer').setAttribute('hidden', ''); hide(); });

  for (const box of document.querySelectorAll('[data-smooth]'))
    box.addEventListener('change', () => box.closest('section').classList.toggle('unsmoothed', !box.checked));
})();
`
