import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { INotebookState, ISources } from './cells';
import { IBuild, IOverview } from './model';

/** What of a pipeline is to be built; without a task all of it. */
export interface IBuildWanted {
  task?: string;
  upstream?: boolean;
  downstream?: boolean;
  force?: boolean;
}

export interface ISaid {
  incidents: { id: string; state: string; title: string }[];
  said: string[];
}

export interface IAnswer {
  build: IBuild;
  log: string;
  offset: number;
}

/** A page by its path in a project, by that in the served folder, or as the page of a notebook's task. */
export type IWanted = { project: string; path?: string } | { served: string } | { notebook: string; cell?: number };

export interface IOpened {
  view: string;
  project: string;
  page: string;
}

/** Two runs that are compared; `after` may be the working copy. Empty texts leave the choice to the server. */
export interface IPair {
  project: string;
  before: string;
  after: string;
  /** Shown first; of the working copy only this one. */
  task?: string;
}

export interface ICompared extends IOpened {
  before: string;
  after: string;
}

/** What is open and not saved yet, by its path. */
export type Edits = Record<string, { cell_type: string; source: string; metadata: { tags: string[] } }[]>;

export interface IChoice {
  id: string;
  started_at: string;
  verdict: string;
  status: string;
  branch: string | null;
  headline: string;
}

/** What a tab shows of the reports. */
export interface IReportState {
  page: string;
  stamp: string | null;
  sent: number;
  source: string | null;
  newest: string | null;
  wish: { serial: number; path: string | null; cell: number | null; outside: boolean } | null;
}

/** Asks the server; what it refuses becomes an Error with its own sentence. */
export class Api {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  async projects(): Promise<string[]> {
    return (await this.ask<{ projects: string[] }>('projects')).projects;
  }

  async notebooks(): Promise<string[]> {
    return (await this.ask<{ notebooks: string[] }>('notebooks')).notebooks;
  }

  async status(project: string, pipeline: string | null): Promise<IOverview> {
    return this.ask<IOverview>('status', { project, ...(pipeline ? { pipeline } : {}) });
  }

  async build(project: string, offset: number): Promise<IAnswer> {
    return this.ask<IAnswer>('build', { project, offset: String(offset) });
  }

  async start(wanted: { project: string; pipeline: string | null } & IBuildWanted): Promise<void> {
    await this.ask('build', {}, { method: 'POST', body: JSON.stringify(wanted) });
  }

  async stop(project: string): Promise<void> {
    await this.ask('build', { project }, { method: 'DELETE' });
  }

  /** Have a tab see a page of a project's reports, or the page of a notebook's task. */
  async openReport(wanted: IWanted): Promise<IOpened> {
    return this.ask<IOpened>('report', {}, { method: 'POST', body: JSON.stringify(wanted) });
  }

  async report(view: string): Promise<IReportState> {
    return this.ask<IReportState>('report', { view });
  }

  async closeReport(view: string): Promise<void> {
    await this.ask('report', { view }, { method: 'DELETE' });
  }

  /** The runs that can be compared, the newest first. */
  async runs(project: string): Promise<{ runs: IChoice[]; more: number }> {
    return this.ask('diff', { project });
  }

  /** Have a tab compare two runs; a new one where it is none of the server's. */
  async compare(pair: IPair, edits: Edits, view: string): Promise<ICompared> {
    return this.ask<ICompared>('diff', {}, { method: 'POST', body: JSON.stringify({ ...pair, edits, view }) });
  }

  /** What a new task can read from, and which datasets have no contract. */
  async choices(project: string): Promise<{ tasks: string[]; datasets: string[] }> {
    return this.ask('new', { project });
  }

  /** Make a task, a contract or a project; the answer is the file to open. */
  async make(wanted: Record<string, string | string[]>): Promise<string | null> {
    return (await this.ask<{ open: string | null }>('new', {}, { method: 'POST', body: JSON.stringify(wanted) })).open;
  }

  async notebook(path: string): Promise<INotebookState> {
    return this.ask<INotebookState>('notebook', { path });
  }

  async sources(project: string, target: string): Promise<ISources> {
    return this.ask<ISources>('sources', { project, target });
  }

  /** Say something about an incident, as `nbops incidents` and `nbops expect` do. */
  async say(wanted: { project: string; id: string; action: string; message: string; until?: string }): Promise<ISaid> {
    return this.ask<ISaid>('incidents', {}, { method: 'POST', body: JSON.stringify(wanted) });
  }

  private async ask<T>(name: string, query: Record<string, string> = {}, init: RequestInit = {}): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, 'nbops', 'api', name) + URLExt.objectToQueryString(query);
    const answer = await ServerConnection.makeRequest(url, init, this.settings);
    const text = await answer.text();
    let data: unknown = null;
    try {
      data = text ? JSON.parse(text) : null;
    } catch {
      // a proxy's page, say
    }
    if (!answer.ok) {
      const said = data as { message?: string; reason?: string } | null;
      throw new Error(said?.message || said?.reason || `${answer.status} ${answer.statusText}`);
    }
    return data as T;
  }
}
