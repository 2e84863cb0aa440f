import { Widget } from '@lumino/widgets';
import { Message } from '@lumino/messaging';
import { Api, IBuildWanted } from './api';
import { button, h } from './dom';
import { drawing } from './graph';
import { incidentItem } from './incidents';
import { age, duration, IDataset, IIncident, IOverview, ITask, progressOf, stateOf, tally } from './model';

const BUSY = 1500; // milliseconds between two questions while a build goes on
const IDLE = 15000;
const MOST_LOG = 200_000; // characters kept

export interface IOpener {
  notebook(path: string, cell?: number): Promise<void>;
  page(path: string): Promise<void>;
  /** Compare two runs of a project, by default the last two. */
  compare(project: string): Promise<void>;
  file(path: string, line?: number): Promise<void>;
  /** Ask for a reason; null when it was thought better of. */
  reason(title: string, text: string, accept: string, needed: boolean): Promise<string | null>;
  /** Tell what became of something. */
  tell(text: string): void;
  /** Ways to make a pipeline where there is none. */
  beginnings(): { label: string; begin(): unknown }[];
  complain(title: string, error: unknown): void;
}

/** The sidebar: the pipeline's tasks, what is stale and why, verdicts, builds and their log. */
export class Panel extends Widget {
  constructor(
    private readonly api: Api,
    private readonly opener: IOpener
  ) {
    super({ node: h('section', { 'aria-label': 'nbops pipeline' }) });
    this.addClass('nbops-panel');
    this.node.append(this.head, this.said, this.ways, this.openBox, this.picture, this.list, this.logBox);
    this.logBox.addEventListener('toggle', () => void this.readLog());
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this.refresh();
  }

  protected onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    window.clearTimeout(this.timer);
  }

  dispose(): void {
    window.clearTimeout(this.timer);
    super.dispose();
  }

  /** Ask the server, show what it says, and ask again later while the panel is seen. */
  async refresh(): Promise<void> {
    window.clearTimeout(this.timer);
    if (this.asking) {
      return;
    }
    this.asking = true;
    try {
      if (!this.projects.includes(this.project)) {
        this.projects = await this.api.projects();
        this.project = this.projects.includes(this.project) ? this.project : this.projects[0] ?? '';
      }
      this.found = this.projects.length ? await this.api.status(this.project, this.pipeline) : null;
      this.problem = this.found?.error ?? (this.projects.length ? null : 'There is no pipeline.yaml in this folder, above it or right below it.');
      await this.readLog();
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      this.asking = false;
    }
    this.draw();
    if (this.isVisible) {
      this.timer = window.setTimeout(() => void this.refresh(), this.found?.build.running ? BUSY : IDLE);
    }
  }

  private async readLog(): Promise<void> {
    if (!this.found?.build.mine) {
      return;
    }
    if (this.found.build.mine.id !== this.logOf) {
      this.logOf = this.found.build.mine.id;
      this.offset = 0;
      this.log.textContent = '';
    }
    for (let more = true; more; ) {
      const answer = await this.api.build(this.project, this.offset);
      more = answer.log.length > 0 && answer.offset > this.offset;
      this.offset = answer.offset;
      if (answer.log) {
        this.log.textContent = ((this.log.textContent ?? '') + answer.log).slice(-MOST_LOG);
        this.log.scrollTop = this.log.scrollHeight;
      }
    }
  }

  private async start(wanted: IBuildWanted): Promise<void> {
    try {
      await this.api.start({ project: this.project, pipeline: this.pipeline, ...wanted });
    } catch (error) {
      this.opener.complain('The build was not started', error);
    }
    await this.refresh();
  }

  private async say(one: IIncident, action: 'acknowledge' | 'expect'): Promise<void> {
    const [title, accept] = action === 'expect' ? ['Mark as expected', 'Mark as expected'] : ['Acknowledge', 'Acknowledge'];
    const reason = await this.opener.reason(title, one.title, accept, action === 'expect');
    if (reason === null) {
      return;
    }
    try {
      const done = await this.api.say({ project: this.project, id: one.id, action, message: reason });
      this.opener.tell([...done.incidents.map(item => `${item.id} is ${item.state}`), ...done.said].join('. '));
    } catch (error) {
      this.opener.complain('Nothing was written', error);
    }
    await this.refresh();
  }

  private async stop(): Promise<void> {
    try {
      await this.api.stop(this.project);
    } catch (error) {
      this.opener.complain('The build was not stopped', error);
    }
    await this.refresh();
  }

  private draw(): void {
    this.tick();
    const now = JSON.stringify([{ ...this.found, now: '' }, this.problem]);
    if (now === this.drawn) {
      return; // what is selected or being clicked stays
    }
    this.drawn = now;
    const focus = document.activeElement instanceof HTMLElement && this.node.contains(document.activeElement);
    const key = focus ? (document.activeElement as HTMLElement).dataset.key : undefined;
    const building = this.found?.build.running ?? false;
    const tasks = this.found?.tasks ?? [];
    this.head.replaceChildren(...this.heading(building));
    this.said.textContent = this.problem ?? '';
    this.said.hidden = !this.problem;
    this.ways.replaceChildren(...this.waysOut());
    this.drawIncidents();
    this.picture.hidden = !tasks.length;
    const graph = tasks.length ? drawing(tasks, building, name => this.choose(name)) : null;
    this.pictureBody.replaceChildren(...(graph ? [graph] : []));
    this.list.replaceChildren(...tasks.map(task => this.item(task, building)));
    this.logBox.hidden = !this.found?.build.mine;
    this.tick();
    if (key) {
      this.node.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus();
    }
  }

  /** What can be done about what stands in the way. */
  private waysOut(): HTMLElement[] {
    const place = this.found?.place;
    if (this.problem && place) {
      const where = `${place.path.split('/').pop()}, line ${place.line}`;
      return [button(`Open ${where}`, 'place', () => this.opener.file(place.path, place.line))];
    }
    if (this.problem && (this.found ? !this.found.pipeline : !this.projects.length)) {
      return this.opener.beginnings().map(way => button(way.label, `begin:${way.label}`, () => way.begin()));
    }
    return [];
  }

  private drawIncidents(): void {
    const { found, more, problems } = this.found?.incidents ?? { found: [], more: 0, problems: [] };
    const count = found.length + more;
    this.openBox.hidden = !count && !problems.length;
    this.openTitle.textContent = count === 1 ? '1 open incident' : `${count} open incidents`;
    const actions = { page: (path: string) => this.opener.page(path), say: (one: IIncident, action: 'acknowledge' | 'expect') => this.say(one, action) };
    this.openList.replaceChildren(
      ...found.map(one => incidentItem(one, Date.now(), actions)),
      ...(more ? [h('li', { class: 'nbops-why' }, `and ${more} more; \`nbops incidents\` lists them`)] : []),
      ...problems.map(text => h('li', { class: 'nbops-why' }, text))
    );
  }

  /** Show how long what goes on has taken, by the server's clock; nothing else is drawn anew. */
  private tick(): void {
    const now = Date.parse(this.found?.now ?? '');
    for (const place of this.node.querySelectorAll<HTMLElement>('[data-since]')) {
      const seconds = (now - Date.parse(place.dataset.since!)) / 1000;
      place.textContent = Number.isFinite(seconds) ? duration(Math.max(0, Math.floor(seconds))).replace('.0', '') : '';
    }
  }

  private heading(building: boolean): HTMLElement[] {
    const found = this.found;
    const rows: HTMLElement[] = [];
    const choosers: HTMLElement[] = [];
    if (this.projects.length > 1) {
      choosers.push(this.select('Project', this.projects, this.project, value => this.switchTo(value, null)));
    }
    if (found && found.pipelines.length > 1) {
      choosers.push(this.select('Pipeline', found.pipelines, found.pipeline ?? '', value => this.switchTo(this.project, value)));
    }
    if (choosers.length) {
      rows.push(h('div', { class: 'nbops-choose' }, ...choosers));
    }
    if (!found) {
      return rows;
    }
    rows.push(
      h(
        'div',
        { class: 'nbops-actions' },
        button('Build', 'build', () => this.start({}), { disabled: building, main: true, title: 'Run what is stale' }),
        button('Build all anew', 'force', () => this.start({ force: true }), { disabled: building, title: 'Run every task, stale or not' }),
        button('Stop', 'stop', () => this.stop(), { disabled: !building, title: 'Stop the build, as Ctrl-C does' })
      )
    );
    const run = found.run;
    const words = building
      ? this.progress(found)
      : run
        ? `Last run ${run.status === 'killed' ? 'was killed' : run.verdict}${run.seconds !== null ? ` in ${duration(run.seconds)}` : ''}. ${tally(found.tasks, false)}`
        : 'No runs yet.';
    const mark = building ? 'running' : run?.verdict ?? 'unknown';
    rows.push(h('p', { class: `nbops-verdict nbops-mark-${mark}`, role: 'status' }, words));
    if (building && found.build.who && !found.build.mine_running) {
      rows.push(h('p', { class: 'nbops-why' }, `${found.build.who} is building.`));
    }
    if (building && run && run.status === 'running') {
      const { done, running, left } = progressOf(found.tasks);
      const bar = h('progress', { max: String(Math.max(1, done + running + left)), value: String(done), 'aria-label': 'Tasks done' });
      rows.push(h('p', { class: 'nbops-progress' }, bar, h('span', { class: 'nbops-took', 'data-since': run.started_at })));
    }
    if (run && !building) {
      const { page } = run;
      const compare = button('Compare runs', 'compare', () => this.opener.compare(this.project), { title: 'What changed since the run before' });
      rows.push(h('div', { class: 'nbops-actions' }, !!page && button('Open report', 'report', () => this.opener.page(page)), compare));
    }
    return rows;
  }

  private progress(found: IOverview): string {
    if (found.run?.status !== 'running') {
      return 'Building: starting';
    }
    const { done, running, left } = progressOf(found.tasks);
    return `Building: ${done} done, ${running} running, ${left} left`;
  }

  private item(task: ITask, building: boolean): HTMLElement {
    const state = stateOf(task, building);
    const open = this.open.has(task.name);
    const summary = h(
      'summary',
      { 'data-key': `task:${task.name}` },
      h('span', { class: `nbops-state nbops-${state}` }, state),
      h('span', { class: 'nbops-name' }, task.name),
      state === 'running' && task.started_at
        ? h('span', { class: 'nbops-took', 'data-since': task.started_at })
        : task.seconds !== null && h('span', { class: 'nbops-took' }, duration(task.seconds))
    );
    const item = h('details', { class: 'nbops-task', 'data-task': task.name, open }, summary) as HTMLDetailsElement;
    item.addEventListener('toggle', () => {
      if (item.open) {
        this.open.add(task.name);
      } else {
        this.open.delete(task.name);
      }
    });
    const why = task.reasons.length ? task.reasons.join('; ') : task.stale === false ? 'up to date' : '';
    item.append(h('div', { class: 'nbops-detail' }, ...this.details(task, why, building)));
    return h('li', {}, item);
  }

  private details(task: ITask, why: string, building: boolean): HTMLElement[] {
    const { source, page } = task;
    const parts: HTMLElement[] = [];
    if (why) {
      parts.push(h('p', { class: 'nbops-why' }, why));
    }
    if (task.error) {
      parts.push(h('p', { class: 'nbops-error' }, `${task.error.kind}: ${task.error.message}`));
      if (task.error.hint) {
        parts.push(h('p', { class: 'nbops-why' }, task.error.hint));
      }
    }
    const links: (HTMLElement | false)[] = [
      !!source && button('Notebook', `notebook:${task.name}`, () => this.opener.notebook(source)),
      !!source &&
        task.error?.cell !== null &&
        task.error !== null &&
        button(`Failing cell ${task.error.cell}`, `cell:${task.name}`, () => this.opener.notebook(source, task.error!.cell!)),
      !!page && button('Report', `page:${task.name}`, () => this.opener.page(page)),
      button('Run this', `run:${task.name}`, () => this.start({ task: task.name }), {
        disabled: building,
        title: 'Run this task, where it is stale'
      }),
      button('Run anew', `anew:${task.name}`, () => this.start({ task: task.name, force: true }), {
        disabled: building,
        title: 'Run this task, stale or not'
      }),
      button('Run up to here', `upto:${task.name}`, () => this.start({ task: task.name, upstream: true }), {
        disabled: building,
        title: 'Run this task and what it depends on, where stale'
      }),
      button('Run from here', `from:${task.name}`, () => this.start({ task: task.name, downstream: true }), {
        disabled: building,
        title: 'Run this task and what depends on it, where stale'
      })
    ];
    parts.push(h('div', { class: 'nbops-actions' }, ...links));
    parts.push(...task.datasets.map(item => this.datasetItem(item)));
    return parts;
  }

  private datasetItem(item: IDataset): HTMLElement {
    const { page, profile, contract } = item;
    const rows = item.rows === null ? '' : `${item.rows.toLocaleString('en')} ${item.rows === 1 ? 'row' : 'rows'}`;
    return h(
      'div',
      { class: 'nbops-dataset' },
      h(
        'p',
        {},
        h('span', { class: `nbops-state nbops-mark-${item.verdict}` }, item.verdict),
        h('span', { class: 'nbops-name' }, item.name),
        h('span', { class: 'nbops-took' }, [rows, item.published ? '' : 'not published'].filter(Boolean).join(', '))
      ),
      h('p', { class: 'nbops-why' }, freshWords(item)),
      item.checks.length > 0 && h('ul', { class: 'nbops-checks' }, ...item.checks.map(one => h('li', {}, `${one.verdict}: ${one.id}: ${one.message}`))),
      h(
        'div',
        { class: 'nbops-actions' },
        !!page && button('Page', `dpage:${item.name}`, () => this.opener.page(page), { label: `Page of ${item.name}` }),
        !!profile && button('Profile', `profile:${item.name}`, () => this.opener.page(profile), { label: `Profile of ${item.name}` }),
        !!contract && button('Contract', `contract:${item.name}`, () => this.opener.file(contract), { label: `Contract of ${item.name}` })
      )
    );
  }

  private choose(name: string): void {
    this.open.add(name);
    const item = this.list.querySelector<HTMLDetailsElement>(`[data-task="${CSS.escape(name)}"]`);
    if (item) {
      item.open = true;
      item.scrollIntoView({ block: 'nearest' });
      item.querySelector<HTMLElement>('summary')?.focus();
    }
  }

  /** Show another project or pipeline. */
  async switchTo(project: string, pipeline: string | null): Promise<void> {
    this.project = project;
    this.pipeline = pipeline;
    this.found = null;
    this.logOf = '';
    await this.refresh();
  }

  private select(label: string, values: string[], chosen: string, then: (value: string) => void): HTMLElement {
    const options = values.map(value => h('option', { value, selected: value === chosen }, value || '(this folder)'));
    const box = h('select', { 'data-key': label, 'aria-label': label }, ...options) as HTMLSelectElement;
    box.addEventListener('change', () => then(box.value));
    return h('label', {}, label, box);
  }

  private readonly head = h('div', { class: 'nbops-head' });
  private readonly said = h('p', { class: 'nbops-problem', role: 'alert', hidden: true });
  private readonly ways = h('div', { class: 'nbops-actions' });
  private readonly openTitle = h('summary', { 'data-key': 'incidents' });
  private readonly openList = h('ul', { 'aria-label': 'Open incidents' });
  private readonly openBox = h('details', { class: 'nbops-incidents', hidden: true, open: true }, this.openTitle, this.openList);
  private readonly pictureBody = h('div', {});
  private readonly picture = h('details', { class: 'nbops-picture', hidden: true }, h('summary', {}, 'Graph'), this.pictureBody);
  private readonly list = h('ul', { class: 'nbops-tasks', 'aria-label': 'Tasks' });
  private readonly log = h('pre', { class: 'nbops-log', tabindex: '0', 'aria-label': 'Log of the build' });
  private readonly logBox = h('details', { class: 'nbops-logbox', hidden: true }, h('summary', {}, 'Log of the last build'), this.log);
  private readonly open = new Set<string>();
  private projects: string[] = [];
  private project = '';
  private pipeline: string | null = null;
  private found: IOverview | null = null;
  private problem: string | null = null;
  private asking = false;
  private timer = 0;
  private offset = 0;
  private logOf = '';
  private drawn = '';
}

/** `made 5 min ago; the newest updated_at was 2 h old (at most 1 day)`. */
function freshWords(item: IDataset): string {
  const made = item.made_at ? age(item.made_at, Date.now()) : '';
  const ages = item.ages.map(one => `newest ${one.column || 'row'} then ${one.age}${one.age === 'not known' ? '' : ' old'}${one.expected ? ` (${one.expected})` : ''}`);
  return [made && `made ${made === 'just now' ? made : `${made} ago`}`, ...ages].filter(Boolean).join('; ');
}
