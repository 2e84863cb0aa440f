// What the server says of a project (nbops/lab/overview.py), and pure functions on it.

export interface ICheck {
  id: string;
  verdict: string;
  message: string;
  severity: string;
}

export interface IDataset {
  name: string;
  verdict: string;
  rows: number | null;
  published: boolean;
  page: string | null;
  profile: string | null;
  contract: string | null;
  checks: ICheck[];
  made_at: string;
  ages: IAge[];
}

/** How old the newest row was when it was measured, and what was promised of it. */
export interface IAge {
  column: string;
  age: string;
  expected: string;
  verdict: string;
}

export interface IIncident {
  id: string;
  title: string;
  state: string;
  severity: string;
  subject: string;
  owner: string | null;
  opened_at: string;
  findings: string[];
  page: string | null;
}

export interface ITaskError {
  kind: string;
  message: string;
  cell: number | null;
  hint: string | null;
}

export interface ITask {
  name: string;
  stale: boolean | null;
  reasons: string[];
  last_success: string | null;
  verdict: string | null;
  upstream: string[];
  source: string | null;
  status: string | null;
  live: boolean;
  seconds: number | null;
  started_at: string | null;
  error: ITaskError | null;
  page: string | null;
  datasets: IDataset[];
}

export interface IBuild {
  running: boolean;
  who: string | null;
  mine: { id: string; command: string; began: string } | null;
  mine_running: boolean;
  exit_code: number | null;
}

export interface IRun {
  id: string;
  status: string;
  verdict: string;
  started_at: string;
  seconds: number | null;
  command: string;
  page: string | null;
}

export interface IOverview {
  pipelines: string[];
  pipeline: string | null;
  error: string | null;
  place: { path: string; line: number } | null;
  tasks: ITask[];
  run: IRun | null;
  incidents: { found: IIncident[]; more: number; problems: string[] };
  build: IBuild;
  now: string;
}

export type State = 'failed' | 'warned' | 'held' | 'running' | 'waiting' | 'stale' | 'unknown' | 'fresh';

/** The one word that a task is listed with: the worst that is known of it. */
export function stateOf(task: ITask, building: boolean): State {
  if (building && task.live) {
    if (task.status === 'succeeded') {
      return 'fresh';
    }
    if (task.status === 'failed' || task.status === 'held') {
      return task.status;
    }
    return task.status === 'running' ? 'running' : 'waiting';
  }
  if (task.status === 'failed' || task.verdict === 'failed' || task.verdict === 'errored') {
    return 'failed';
  }
  if (task.status === 'held') {
    return 'held';
  }
  if (task.stale === null) {
    return 'unknown';
  }
  if (task.stale) {
    return 'stale';
  }
  return task.verdict === 'warned' ? 'warned' : 'fresh';
}

const ORDER: State[] = ['failed', 'held', 'running', 'waiting', 'stale', 'unknown', 'warned', 'fresh'];

/** How many tasks are in which state, the worst first: `1 failed, 2 stale, 8 fresh`. */
export function tally(tasks: ITask[], building: boolean): string {
  const counts = new Map<State, number>();
  for (const task of tasks) {
    const state = stateOf(task, building);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return ORDER.filter(state => counts.has(state))
    .map(state => `${counts.get(state)} ${state}`)
    .join(', ');
}

/** Where each task stands in a drawing: its layer is one below the lowest that it depends on. */
export function layersOf(tasks: ITask[]): string[][] {
  const known = new Set(tasks.map(task => task.name));
  const depth = new Map<string, number>();
  for (const task of tasks) {
    // tasks come in topological order; what is unknown or later does not count, so that a wrong file draws too
    const above = task.upstream.filter(name => known.has(name) && depth.has(name)).map(name => depth.get(name)!);
    depth.set(task.name, above.length ? Math.max(...above) + 1 : 0);
  }
  const layers: string[][] = [];
  for (const task of tasks) {
    const at = depth.get(task.name)!;
    while (layers.length <= at) {
      layers.push([]);
    }
    layers[at].push(task.name);
  }
  return layers;
}

/** The place of a cell among all cells of an open notebook, where the injected one is one more than in the file. */
export function placeOfCell(cell: number, tags: string[][]): number {
  let left = cell;
  for (let place = 0; place < tags.length; place++) {
    if (tags[place].includes('injected-parameters')) {
      continue;
    }
    if (left === 0) {
      return place;
    }
    left -= 1;
  }
  return -1;
}

/** How far a build is: what is done of what it has to do; up-to-date and unchosen tasks are none of its work. */
export function progressOf(tasks: ITask[]): { done: number; running: number; left: number } {
  const states = tasks.filter(task => task.live).map(task => stateOf(task, true));
  const running = states.filter(state => state === 'running').length;
  const left = states.filter(state => state === 'waiting').length;
  return { done: states.length - running - left, running, left };
}

/** How long ago an instant was: `just now`, `5 min`, `3 h`, `12 days`. Clocks differ, so the future is now. */
export function age(since: string, now: number): string {
  const minutes = Math.floor((now - Date.parse(since)) / 60_000);
  if (!Number.isFinite(minutes)) {
    return '';
  }
  if (minutes < 1) {
    return 'just now';
  }
  if (minutes < 60) {
    return `${minutes} min`;
  }
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / (24 * 60))} days`;
}

/** `1 min 5 s`, `3.2 s`. */
export function duration(seconds: number): string {
  if (seconds < 60) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** The other way round: which cell of the file stands at a place of an open notebook; none for the injected one. */
export function cellOfPlace(place: number, tags: string[][]): number | undefined {
  if (place < 0 || place >= tags.length || tags[place].includes('injected-parameters')) {
    return undefined;
  }
  return tags.slice(0, place).filter(one => !one.includes('injected-parameters')).length;
}

/** The run that a page of the reports belongs to: `reports/runs/<id>/tasks/clean.html`. */
export function runOf(page: string): string | null {
  return /(?:^|\/)runs\/([^/]+)\//.exec(page)?.[1] ?? null;
}

const OVERVIEWS: Record<string, string> = { index: 'Pipeline', catalog: 'Catalog', lineage: 'Lineage', history: 'History', monitoring: 'Monitoring' };

/** What a tab is called: `Run 2026...`, `clean`, `Incidents`. */
export function titleOf(page: string): string {
  const parts = page.split('/');
  const name = parts.pop()!.replace(/\.html$/, '');
  const folder = parts.pop();
  if (name === 'index' && folder && parts[parts.length - 1] === 'runs') {
    return `Run ${folder}`;
  }
  if (name === 'index' && folder === 'incidents') {
    return 'Incidents';
  }
  return (folder !== 'tasks' && folder !== 'datasets' && OVERVIEWS[name]) || name;
}

/** The project's files as they are, where the id of a run may stand. */
export const WORKING = 'working';

/** How a run is told apart from others in a list: `27 Nov 12:25 failed 2c65cb`. */
export function runLabel(run: { id: string; started_at: string; verdict: string; status: string; branch: string | null }): string {
  const began = new Date(run.started_at);
  const day = Number.isNaN(began.getTime())
    ? run.started_at
    : began.toLocaleString('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hour12: false }).replace(',', '');
  const state = run.status === 'running' || run.status === 'interrupted' || run.status === 'killed' ? run.status : run.verdict;
  return [day, state, shortRun(run.id), run.branch].filter(Boolean).join(' · ');
}

/** The part of a run's id that differs between runs of a day. */
export function shortRun(id: string): string {
  return id === WORKING ? 'working copy' : id.split('-').pop()!;
}

/** What Python's `repr` of a text stands for; null for anything else. */
export function plainText(repr: unknown): string | null {
  const found = typeof repr === 'string' ? /^(['"])(.*)\1$/s.exec(repr) : null;
  return found ? found[2].replace(/\\(['"\\])/g, '$1') : null;
}

/** The command for a terminal that installs nbops beside an interpreter, whatever its path is made of. */
export function commandToInstall(python: string): string {
  const safe = /^[\w./+-]+$/.test(python) ? python : `'${python.replace(/'/g, "'\\''")}'`;
  return `${safe} -m pip install nbops`;
}
