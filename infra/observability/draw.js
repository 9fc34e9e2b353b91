// Draws `dashboard` as it is over the time of `settings`. Asks Prometheus synchronously: the page counts as loaded, and is
// photographed, only when all is drawn.
'use strict';

const colors = ['#3b78b8', '#d9822b', '#3d9a50', '#b83b5e', '#7b5ea7', '#8c6d46', '#2a9d9d', '#b5a642', '#6b7785', '#d16ba5', '#1f4e79', '#8fb339'];
const start = settings.end - settings.minutes * 60;
const step = Math.max(1, Math.round(settings.minutes * 60 / 240));
const windows = { $__rate_interval: `${Math.max(4 * settings.scrape, step + settings.scrape)}s`, $__range: `${settings.minutes * 60}s`, $__interval: `${step}s`, $job: '.+' };

function ask(path, parameters) {
  const request = new XMLHttpRequest();
  request.open('GET', `${settings.url}/api/v1/${path}?${new URLSearchParams(parameters)}`, false);
  request.send();
  const answer = JSON.parse(request.responseText);
  if (answer.status !== 'success') throw new Error(answer.error);
  return answer.data.result;
}

const expand = text => text.replace(/\$(__)?\w+/g, name => windows[name] ?? name);
const legend = (target, labels) => target.legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, name) => labels[name] ?? '').trim() || 'all';
const time = seconds => new Date(seconds * 1000).toISOString().slice(11, settings.minutes > 15 ? 16 : 19);

function number(value, unit) {
  const round = (x, suffix) => `${Number(x.toPrecision(3))}${suffix}`;
  if (unit === 'percentunit') return round(value * 100, ' %');
  if (unit === 'bytes' || unit === 'Bps') {
    const power = value > 0 ? Math.min(4, Math.max(0, Math.floor(Math.log2(value) / 10))) : 0;
    return round(value / 1024 ** power, [' B', ' KiB', ' MiB', ' GiB', ' TiB'][power] + (unit === 'Bps' ? '/s' : ''));
  }
  if (unit === 's') return value >= 3600 ? round(value / 3600, ' h') : value >= 60 ? round(value / 60, ' min') : value >= 1 || value === 0 ? round(value, ' s') : round(value * 1000, ' ms');
  const suffix = { reqps: ' req/s', ops: ' ops/s' }[unit] ?? '';
  return value >= 1e6 ? round(value / 1e6, ` M${suffix}`) : value >= 1e4 ? round(value / 1e3, ` k${suffix}`) : round(value, suffix);
}

function element(parent, name, attributes, text) {
  const svg = ['svg', 'path', 'line', 'text', 'rect'].includes(name);
  const made = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** A number at or above a quarter of the highest that is round in its unit. */
function tick(highest, unit) {
  const scale = unit === 'bytes' || unit === 'Bps' ? 1024 ** Math.floor(Math.log2(Math.max(1, highest)) / 10) : unit === 's' && highest > 60 ? 60 : 1;
  const power = 10 ** Math.floor(Math.log10(highest / scale / 4));
  return scale * [1, 2, 2.5, 5, 10].map(x => x * power).find(x => x * 4 >= highest / scale * (1 - 1e-9));
}

function drawSeries(box, panel, width, height) {
  const series = panel.targets.flatMap((target, index) => ask('query_range', { query: expand(target.expr), start, end: settings.end, step })
    .map(found => ({ name: legend(target, found.metric), index, points: new Map(found.values.map(([at, value]) => [Math.round((at - start) / step), Number(value)]).filter(([, value]) => Number.isFinite(value))) })))
    .filter(found => found.points.size > 0);
  const { unit, min, max, custom } = panel.fieldConfig.defaults;
  const stacked = custom.stacking.mode === 'normal';
  const last = Math.floor(settings.minutes * 60 / step);
  const base = new Float64Array(last + 1);
  for (const line of series) {
    line.tops = [];
    for (let i = 0; i <= last; i++) {
      const value = line.points.get(i);
      line.tops.push(value === undefined ? undefined : [stacked ? base[i] : 0, (stacked ? base[i] : 0) + value]);
      if (stacked && value !== undefined) base[i] += value;
    }
  }
  let highest = max ?? Math.max(0, ...series.flatMap(line => line.tops.filter(Boolean).map(([, top]) => top)));
  if (!(highest > 0)) highest = 1;
  const grid = max === undefined ? tick(highest, unit) : max / 4;
  const top = Math.ceil(highest / grid - 1e-9) * grid;
  const left = 62, right = 8, upper = 6, lower = 18;
  const x = i => left + (width - left - right) * i / last;
  const y = value => upper + (height - upper - lower) * (1 - value / top);
  const svg = element(box, 'svg', { width, height });
  for (let value = 0; value <= top + 1e-9; value += grid) {
    element(svg, 'line', { x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: '#e3e6ea', 'shape-rendering': 'crispEdges' });
    element(svg, 'text', { x: left - 6, y: y(value) + 4, 'text-anchor': 'end', class: 'axis' }, number(value, unit));
  }
  for (let part = 0; part <= 4; part++) {
    element(svg, 'text', { x: x(last * part / 4), y: height - 4, 'text-anchor': ['start', 'middle', 'middle', 'middle', 'end'][part], class: 'axis' }, time(start + settings.minutes * 15 * part));
  }
  series.forEach((line, index) => {
    const color = colors[index % colors.length];
    let from = 0;
    while (from <= last) {
      if (!line.tops[from]) { from++; continue; }
      let to = from;
      while (to < last && line.tops[to + 1]) to++;
      const range = Array.from({ length: to - from + 1 }, (_, i) => from + i);
      const over = range.map(i => `${x(i).toFixed(1)},${y(line.tops[i][1]).toFixed(1)}`);
      const under = range.map(i => `${x(i).toFixed(1)},${y(line.tops[i][0]).toFixed(1)}`).reverse();
      if (custom.fillOpacity > 0) element(svg, 'path', { d: `M${over.concat(under).join('L')}Z`, fill: color, 'shape-rendering': 'crispEdges', 'fill-opacity': custom.fillOpacity / 100 });
      element(svg, 'path', { d: from === to ? `M${over[0]}h1.5` : `M${over.join('L')}`, fill: 'none', stroke: color, 'stroke-width': custom.lineWidth, 'shape-rendering': 'crispEdges' });
      from = to + 1;
    }
  });
  const names = element(box, 'div', { class: 'legend' });
  if (series.length === 0) element(names, 'span', {}, 'nothing in this time');
  series.forEach((line, index) => element(names, 'span', { style: `--color: ${colors[index % colors.length]}` }, line.name));
}

function drawStat(box, panel) {
  const { unit, decimals, thresholds } = panel.fieldConfig.defaults;
  const values = panel.targets.flatMap(target => ask('query', { query: expand(target.expr), time: settings.end }).map(found => [legend(target, found.metric), Number(found.value[1])]));
  const row = element(box, 'div', { class: 'stats' });
  for (const [name, value] of values.length ? values : [['', NaN]]) {
    const color = { green: '#3d9a50', red: '#c4314b', orange: '#d9822b', blue: '#3b78b8' }[thresholds.steps.filter(s => s.value === null || value >= s.value).at(-1).color];
    const one = element(row, 'div');
    element(one, 'b', { style: `color: ${color}` }, Number.isFinite(value) ? number(decimals === 0 && unit !== 'percentunit' ? Math.round(value) : value, unit) : 'n/a');
    if (values.length > 1) element(one, 'small', {}, name);
  }
}

function drawTable(box, panel) {
  const rows = panel.targets.flatMap(target => ask('query', { query: expand(target.expr), time: settings.end }));
  const columns = [...new Set(rows.flatMap(row => Object.keys(row.metric)))].sort();
  const table = element(box, 'table');
  const head = element(table, 'tr');
  for (const column of [...columns, 'value']) element(head, 'th', {}, column);
  for (const row of rows) {
    const line = element(table, 'tr');
    for (const column of columns) element(line, 'td', {}, row.metric[column] ?? '');
    element(line, 'td', {}, number(Number(row.value[1]), panel.fieldConfig.defaults.unit));
  }
  if (rows.length === 0) { table.remove(); element(box, 'div', { class: 'legend' }, 'none'); }
}

element(document.head, 'style', {}, `
  body { margin: 0; width: 1096px; position: relative; background: #f4f5f7; font: 12px/1.3 "DejaVu Sans", sans-serif; color: #24292f; }
  h1 { font-size: 19px; margin: 0; padding: 14px 12px 2px; } h1 + p { margin: 0 12px; color: #57606a; }
  section { position: absolute; box-sizing: border-box; background: #fff; border: 1px solid #dde1e6; border-radius: 3px; padding: 5px 8px; overflow: hidden; }
  h2 { font-size: 12px; margin: 0 0 3px; }
  .legend { display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 10.5px; color: #57606a; height: 28px; overflow: hidden; }
  .legend span { white-space: nowrap; } .legend span[style]::before { content: ""; display: inline-block; width: 12px; height: 3px; margin-right: 4px; vertical-align: middle; background: var(--color); }
  .stats { display: flex; justify-content: space-around; align-items: center; height: 66px; text-align: center; }
  .stats b { display: block; font-size: 25px; font-weight: normal; } .stats small { color: #57606a; }
  .axis { font-size: 10px; fill: #6b7785; }
  table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: 2px 6px; border-bottom: 1px solid #e3e6ea; }`);
element(document.body, 'h1', {}, dashboard.title);
element(document.body, 'p', {}, `${dashboard.description} ${new Date(start * 1000).toISOString().slice(0, 10)}, ${time(start)} to ${time(settings.end)} UTC`);
const draw = { stat: drawStat, timeseries: drawSeries, table: drawTable };
for (const panel of dashboard.panels) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * 45.5 - 6, h * 25 - 6];
  const box = element(document.body, 'section', { style: `left: ${x * 45.5 + 4}px; top: ${y * 25 + 64}px; width: ${width}px; height: ${height}px` });
  element(box, 'h2', {}, panel.title);
  draw[panel.type](box, panel, width - 18, height - 62);
}
