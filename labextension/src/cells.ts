// What the server says of an open notebook (nbops/lab/cells.py), and pure functions on it.

export interface INotebookCheck {
  id: string;
  verdict: string;
  message: string;
  severity: string;
}

export interface INotebookDataset {
  name: string;
  verdict: string;
  rows: number | null;
  published: boolean;
  cell: number | null;
  source: string | null;
  columns: string[];
  checks: INotebookCheck[];
}

export interface INotebookState {
  task: string | null;
  error: string | null;
  project?: string;
  pipeline?: string;
  building?: boolean;
  stale?: boolean | null;
  reasons?: string[];
  run?: string | null;
  before?: string | null;
  status?: string | null;
  failure?: { kind: string; message: string; cell: number; source: string | null } | null;
  datasets?: INotebookDataset[];
}

export interface ISources {
  node: string;
  run: string;
  rows: string[][];
  more: number;
}

/** A cell of the open notebook. */
export interface ICell {
  source: string;
  tags: string[];
}

/** Where a cell of the last run is in the open notebook; `place` is -1 where it is gone. */
export interface IWhere {
  place: number;
  /** What is to be said of it: it moved, it was edited, it is gone. */
  note: string;
}

function plain(source: string): string {
  return source.replace(/\r\n/g, '\n').trim();
}

/** Find a cell as it was run: where it was, else wherever its source is now, else where it was and edited. */
export function whereIs(cell: number, source: string | null, cells: ICell[]): IWhere {
  const own = cells.map((one, place) => ({ ...one, place })).filter(one => !one.tags.includes('injected-parameters'));
  const there = own[cell];
  if (source === null) {
    return there ? { place: there.place, note: '' } : { place: -1, note: `It was cell ${cell}, which is gone.` };
  }
  const wanted = plain(source);
  if (there && plain(there.source) === wanted) {
    return { place: there.place, note: '' };
  }
  const same = own.findIndex(one => plain(one.source) === wanted);
  if (same >= 0) {
    return { place: own[same].place, note: `It was cell ${cell} in that run, and has moved.` };
  }
  return there
    ? { place: there.place, note: 'The cell was edited or replaced since that run.' }
    : { place: -1, note: `It was cell ${cell} in that run, which was edited or removed.` };
}

/** The checks that did not pass. */
export function failing(dataset: INotebookDataset): INotebookCheck[] {
  return dataset.checks.filter(one => one.verdict !== 'passed' && one.verdict !== 'skipped');
}

/** `1 failed, 3 passed`. */
export function count(checks: INotebookCheck[]): string {
  const order = ['errored', 'failed', 'warned', 'passed', 'skipped'];
  return order
    .map(verdict => [checks.filter(one => one.verdict === verdict).length, verdict] as const)
    .filter(([number]) => number)
    .map(([number, verdict]) => `${number} ${verdict}`)
    .join(', ');
}
