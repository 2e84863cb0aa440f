import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { IBuild, IOverview } from './model';

export interface IAnswer {
  build: IBuild;
  log: string;
  offset: number;
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

  async start(wanted: { project: string; pipeline: string | null; task?: string; upstream?: boolean; force?: boolean }): Promise<void> {
    await this.ask('build', {}, { method: 'POST', body: JSON.stringify(wanted) });
  }

  async stop(project: string): Promise<void> {
    await this.ask('build', { project }, { method: 'DELETE' });
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
