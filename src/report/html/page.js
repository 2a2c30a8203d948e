'use strict';
(() => {
  const { report, lines } = JSON.parse(document.getElementById('data').textContent);
  const main = document.getElementById('main');
  const filter = document.getElementById('filter');
  const PAGE = 100; // rows that are drawn at once
  const DRAWN = 40; // paths in a picture
  const ORIGINS = ['fresh', 'preserved', 'null', 'supplied', 'generated', 'omitted', 'unknown', 'missing'];

  /** An element; strings become text nodes, so nothing of the audited tree is read as markup. */
  function el(name, attributes = {}, ...children) {
    const svg = ['svg', 'g', 'path', 'rect', 'text', 'title'].includes(name);
    const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === 'onclick') node.addEventListener('click', value);
      else if (key === 'tone') node.style.setProperty('--tone', `var(--${value})`);
      else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? '' : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== ''));
    return node;
  }
  const tone = (semantics) => ORIGINS.find((origin) => semantics.split('-or-').at(-1) === origin) ?? 'unknown';
  const named = (entry) => entry.route || entry.name;
  const place = (at) => `${at.file}:${at.line}`;
  const count = (number, word) => `${number} ${word}${number === 1 ? '' : 's'}`;
  const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  /** One object a path, with everything that the filter looks at in one string. */
  function pathsOf(column) {
    const majority = column.verdict.majority;
    const paths = column.write_sites.flatMap((site) =>
      site.paths.map((path) => ({
        entry: path.entry_point, steps: path.steps, semantics: path.semantics, form: path.form,
        confidence: path.confidence, reason: path.reason, issues: path.issues_token,
        where: { file: site.file, line: site.value_line, function: site.function },
        what: `${site.operation}${site.scope === 'production' ? '' : `, ${site.scope}`}`,
        odd: site.scope === 'production' && path.issues_token && column.verdict.agree === false && path.semantics !== (majority ?? 'fresh'),
      })),
    );
    const missing = column.missing_writes.map((miss) => ({
      entry: miss.entry_point, steps: miss.steps, semantics: 'missing', form: '', confidence: '', reason: miss.reason, issues: true,
      where: { file: miss.file, line: miss.line, function: miss.function }, what: 'mints, never writes', odd: true,
    }));
    const all = [...missing, ...paths];
    for (const path of all) {
      const parts = [path.entry.name, path.entry.route, path.entry.file, ...path.steps.map((step) => step.function),
        path.semantics, path.form, path.confidence, path.what, path.where.function, path.where.file, path.odd ? 'deviates' : ''];
      path.text = parts.join(' ').toLowerCase();
    }
    // What stands out comes first.
    return all.sort((a, b) => b.odd - a.odd || b.issues - a.issues);
  }

  function bars(column) {
    const live = column.live;
    if (!live) return column.live_error ? el('p', { class: 'soft' }, `The database has no answer: ${column.live_error}`) : null;
    const grid = el('div', { class: 'bars' });
    const bar = (name, part, interval) => {
      const share = part.rows > 0 ? part.nulls / part.rows : 0;
      const [low, high] = interval ?? [share, share];
      const percent = (value) => `${(value * 100).toFixed(value === 0 || value === 1 ? 0 : 1)} %`;
      const label = `${percent(share)} NULL` + (high > low ? ` (${percent(low)} to ${percent(high)})` : '');
      const track = el('div', { class: 'bar', role: 'img', 'aria-label': `${name}: ${label}` }, el('i', { style: `width:${share * 100}%` }));
      if (high > low) track.append(el('b', { style: `left:${low * 100}%;width:${(high - low) * 100}%` }));
      grid.append(el('span', {}, name), track, el('span', { class: 'number' }, `${label} of ${part.rows}`));
    };
    bar('all rows', live, live.interval);
    for (const cohort of live.cohorts ?? []) bar(`${cohort.name} ${cohort.value ?? 'NULL'}`, cohort, cohort.interval);
    const said = (live.predictions ?? []).map((p) => el('p', { class: 'soft' }, `${p.cohort} ${p.value}: the code says ${p.expected}, the data: ${p.outcome}`));
    const share = (part) => (part.rows > 0 ? `${((part.without_token / part.rows) * 100).toFixed(1)} %` : 'no rows');
    const trends = (live.trends ?? []).map((t) => el('p', { class: 'soft' }, `${t.name}: ${share(t.before)} without a token before ${t.since}, ${share(t.recent)} since: ${t.tendency}`));
    const changes = (live.changes ?? []).map((c) => el('p', { class: 'soft' }, `${c.cohort === null ? 'all rows' : `${c.cohort} ${c.value ?? 'NULL'}`}: ${share(c.before)} without a token on ${c.since}, ${share(c.now)} now: ${c.tendency}`));
    return [el('h3', {}, `Share of NULL (${live.method})`), grid, ...trends, ...changes, ...said];
  }

  /** Entry points on the left, helpers between, what is written on the right. */
  function picture(paths) {
    const shown = paths.slice(0, DRAWN);
    const rowHeight = 30;
    const x = { entry: 8, helper: 330, write: 770 };
    const width = 1090;
    const height = 34 + shown.length * rowHeight;
    const svg = el('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'Paths from entry points through helpers to writes' });
    for (const [key, head] of [['entry', 'entry point'], ['helper', 'helpers'], ['write', 'writes']]) {
      svg.append(el('text', { class: 'head', x: x[key], y: 18 }, head));
    }
    const sites = new Map();
    shown.forEach((path, at) => {
      const key = path.semantics === 'missing' ? `missing ${at}` : place(path.where);
      sites.set(key, [...(sites.get(key) ?? []), at]);
    });
    const middle = (at) => 34 + at * rowHeight + 12;
    const siteY = new Map([...sites].map(([key, rows]) => [key, rows.reduce((sum, at) => sum + middle(at), 0) / rows.length]));
    shown.forEach((path, at) => {
      const key = path.semantics === 'missing' ? `missing ${at}` : place(path.where);
      const y = middle(at);
      const helpers = path.steps.map((step) => step.function.split('.').at(-1)).join(' → ');
      const group = el('g', { class: path.odd ? 'odd' : '', tone: tone(path.semantics) },
        el('title', {}, `${named(path.entry)}: ${path.semantics}. ${path.reason}`),
        el('path', { class: 'edge', d: `M ${x.entry + 290} ${y} H ${x.helper - 8}` }),
        el('path', { class: 'edge', d: `M ${x.helper + 250} ${y} H ${x.helper + 372} C ${x.write - 30} ${y}, ${x.write - 40} ${siteY.get(key)}, ${x.write - 6} ${siteY.get(key)}` }),
        el('rect', { class: 'node', x: x.entry, y: y - 11, width: 290, height: 22, rx: 4 }),
        el('text', { x: x.entry + 8, y: y + 4 }, cut(named(path.entry), 38)),
        el('rect', { class: 'node', x: x.helper - 8, y: y - 11, width: 258, height: 22, rx: 4 }),
        el('text', { x: x.helper, y: y + 4 }, cut(helpers || 'writes itself', 33)),
        el('text', { class: 'meaning', x: x.helper + 256, y: y - 4 }, path.semantics === 'missing' ? '' : cut(path.semantics, 18)));
      svg.append(group);
    });
    for (const [key, rows] of sites) {
      const y = siteY.get(key);
      const path = shown[rows[0]];
      const label = path.semantics === 'missing' ? 'never written' : cut(key.split('/').at(-1), 38);
      svg.append(el('g', { tone: tone(path.semantics) }, el('title', {}, `${place(path.where)} ${path.where.function}`),
        el('rect', { class: 'node', x: x.write - 6, y: y - 11, width: 306, height: 22, rx: 4 }), el('text', { x: x.write + 4, y: y + 4 }, label)));
    }
    const more = paths.length - shown.length;
    return el('div', {}, el('div', { class: 'picture', tabindex: 0 }, svg),
      more > 0 ? el('p', { class: 'soft' }, `${more} more paths: filter to draw them.`) : null);
  }

  const source = (at) => {
    const text = lines[place(at)];
    return text === undefined ? null : el('pre', {}, el('span', { class: 'at' }, `${String(at.line).padStart(5)} │ ${text}`));
  };

  function detail(path) {
    const hop = (at, words) => [el('p', { class: 'soft' }, `${words} · ${place(at)}`), source(at)];
    return el('tr', { class: 'detail' }, el('td', { colspan: 5 },
      hop(path.entry, `${path.entry.name} starts here`), path.steps.map((step) => hop(step, `${step.function} calls on`)),
      hop(path.where, path.semantics === 'missing' ? `${path.where.function} mints here, and nothing on this path writes` : `${path.where.function} writes ${path.semantics}`),
      el('p', {}, path.reason)));
  }

  function row(path) {
    const cells = [
      el('td', {}, named(path.entry), path.route ? el('div', { class: 'soft' }, path.entry.name) : null),
      el('td', { class: 'meaning' }, path.semantics), el('td', {}, path.form), el('td', {}, path.confidence),
      el('td', {}, el('code', {}, place(path.where)), el('div', { class: 'soft' }, [path.what, ...path.steps.map((step) => step.function)].join(' · '))),
    ];
    const tr = el('tr', { class: `row${path.odd ? ' odd' : ''}`, tabindex: -1, tone: tone(path.semantics), 'aria-expanded': 'false' }, cells);
    tr.addEventListener('click', () => {
      const open = tr.getAttribute('aria-expanded') === 'true';
      if (open) tr.nextElementSibling.remove();
      else tr.after(detail(path));
      tr.setAttribute('aria-expanded', String(!open));
    });
    return tr;
  }

  /** A column's section; `draw` shows the paths that the filter leaves. */
  function section(column) {
    const paths = pathsOf(column);
    const drawing = el('div');
    const body = el('tbody');
    const more = el('button', { class: 'more', type: 'button', onclick: () => grow(PAGE) });
    let left = [];
    let drawn = 0;
    function grow(count) {
      body.append(...left.slice(drawn, drawn + count).map(row));
      drawn = Math.min(left.length, drawn + count);
      more.textContent = `show ${Math.min(PAGE, left.length - drawn)} more of ${left.length - drawn}`;
      more.hidden = drawn >= left.length;
    }
    const model = column.model;
    const facts = [
      ['model', model ? `${model.name}.${model.property} (${place(model)})` : 'known from SQL alone'],
      ['stored', `${column.nullable === null ? 'nullability unknown' : column.nullable ? 'nullable' : 'not null'}, ${column.default === null ? 'no default' : `default ${column.default}`}`],
      ['contract', column.contract ?? 'undeclared'],
      ['verdict', `${column.verdict.agree ? 'the issuing paths agree' : 'the issuing paths disagree'}${column.verdict.majority ? `; most write ${column.verdict.majority}` : ''}${column.verdict.recommendation ? `; ${column.contract ? 'declared' : 'recommended'}: ${column.verdict.recommendation}` : ''}`],
      ['read by', column.read_sites.slice(0, 5).map((read) => `${read.kind} ${read.function} (${place(read)})`).join(', ') + (column.read_sites.length > 5 ? ` and ${column.read_sites.length - 5} more` : '') || 'nobody in this tree'],
    ];
    const changes = (purpose) => {
      const list = column.verdict.changes.filter((change) => change.for === purpose);
      return list.length === 0 ? null : el('details', {}, el('summary', {}, `To ${purpose === 'drop-writes' ? 'drop the column' : 'write consistently'}, change ${list.length}`),
        el('ul', {}, list.map((change) => el('li', {}, el('code', {}, place(change)), ` ${change.edit}`))));
    };
    const element = el('section', { 'data-column': column.column }, el('h2', {}, column.column),
      el('dl', { class: 'facts' }, facts.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
      bars(column) ?? [], el('h3', {}, 'Paths'), drawing,
      el('table', {}, el('thead', {}, el('tr', {}, ['path', 'writes', 'form', 'confidence', 'where'].map((head) => el('th', { scope: 'col' }, head)))), body), more,
      changes('write-consistently'), changes('drop-writes'));
    function draw(wanted) {
      left = paths.filter(wanted);
      drawn = 0;
      body.replaceChildren();
      drawing.replaceChildren(left.length > 0 ? picture(left) : el('p', { class: 'soft' }, 'No path matches.'));
      grow(PAGE);
      return left.length;
    }
    return { element, draw, total: paths.length, all: () => grow(left.length) };
  }

  function finding(found) {
    const related = found.related.map((at) => [el('p', { class: 'soft' }, `${at.message} · ${place(at)}`), source(at)]);
    const element = el('details', { class: `finding ${found.level}`, open: report.findings.length <= 20 },
      el('summary', {}, el('strong', {}, `${found.level}[${found.check}]`), ` ${found.message}`),
      el('p', { class: 'soft' }, `${place(found)}${found.standing === 'open' ? '' : ` · ${found.standing}${found.reason ? `: ${found.reason}` : ''}`}`), source(found), related,
      found.fix ? el('p', {}, `To fix it: ${found.fix.title} (tokendrift audit ${found.fix.is_safe ? '--fix' : '--fix --unsafe-fixes'})`) : null, el('p', { class: 'soft' }, `identity: ${found.identity}`));
    return { element, text: `${found.check} ${found.level} ${found.column} ${found.message} ${found.file}`.toLowerCase() };
  }

  const sections = report.columns.map(section);
  const findings = report.findings.map(finding);
  const levels = report.summary.findings;
  document.getElementById('summary').textContent =
    `${count(levels.error, 'error')}, ${count(levels.warning, 'warning')}, ${count(levels.note, 'note')} in ${count(report.summary.files, 'file')}; ${count(report.gaps.length, 'gap')}`;

  const pressed = new Set();
  const chips = document.getElementById('chips');
  const chip = (name, label = name) => {
    const button = el('button', { class: 'chip', type: 'button', tone: name, 'aria-pressed': 'false', 'data-chip': name }, label);
    button.addEventListener('click', () => {
      if (!pressed.delete(name)) pressed.add(name);
      button.setAttribute('aria-pressed', String(pressed.has(name)));
      apply();
    });
    chips.append(button);
  };
  const seen = new Set(report.columns.flatMap((column) => [
    ...column.write_sites.flatMap((site) => site.paths.flatMap((path) => path.semantics.split('-or-'))),
    ...(column.missing_writes.length > 0 ? ['missing'] : []),
  ]));
  ORIGINS.filter((origin) => seen.has(origin)).forEach((origin) => chip(origin));
  chip('deviates');

  function apply() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const origins = [...pressed].filter((name) => name !== 'deviates');
    const wanted = (path) => words.every((word) => path.text.includes(word))
      && (!pressed.has('deviates') || path.odd)
      && (origins.length === 0 || origins.some((origin) => path.semantics.split('-or-').includes(origin)));
    let left = 0;
    let total = 0;
    for (const one of sections) { left += one.draw(wanted); total += one.total; }
    let shown = 0;
    for (const one of findings) {
      one.element.hidden = !words.every((word) => one.text.includes(word));
      shown += one.element.hidden ? 0 : 1;
    }
    document.getElementById('count').textContent = `${left} of ${total} paths, ${shown} of ${findings.length} findings`;
  }

  main.append(...sections.map((one) => one.element), el('h2', {}, 'Findings'),
    ...(findings.length > 0 ? findings.map((one) => one.element) : [el('p', {}, 'None.')]));
  if (report.gaps.length > 0) {
    main.append(el('h2', {}, 'Gaps'), el('p', { class: 'soft' }, 'What could not be read or told.'),
      el('ul', {}, report.gaps.slice(0, 200).map((gap) => el('li', {}, el('code', {}, place(gap)), ` ${gap.why}`))),
      report.gaps.length > 200 ? el('p', { class: 'soft' }, `and ${report.gaps.length - 200} more: --format json lists all`) : null);
  }
  apply();

  let timer;
  filter.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(apply, 60); });
  let at = -1;
  function go(step) {
    const rows = [...document.querySelectorAll('tr.row')];
    if (rows.length === 0) return;
    at = Math.max(0, Math.min(rows.length - 1, at + step));
    rows.forEach((one, index) => one.classList.toggle('at', index === at));
    rows[at].focus({ preventScroll: true });
    rows[at].scrollIntoView({ block: 'center' });
  }
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') { filter.value = ''; filter.blur(); at = -1; apply(); return; }
    if (event.target === filter) { if (event.key === 'Enter') { apply(); filter.blur(); } return; }
    if (event.key === '/') { event.preventDefault(); filter.focus(); filter.select(); }
    else if (event.key === 'j') go(1);
    else if (event.key === 'k') go(-1);
    else if (event.key === 'd') chips.querySelector('[data-chip=deviates]').click();
    else if (event.key === 'Enter' && event.target.matches?.('tr.row')) event.target.click();
  });
  // Paper shows every path that the filter leaves.
  window.addEventListener('beforeprint', () => {
    sections.forEach((one) => one.all());
    document.querySelectorAll('details').forEach((one) => { one.open = true; });
  });
})();
