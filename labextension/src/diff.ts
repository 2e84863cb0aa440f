import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IThemeManager } from '@jupyterlab/apputils';
import { NotebookPanel } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { LabIcon } from '@jupyterlab/ui-components';
import { Api, Edits, IChoice, IPair, IReportState } from './api';
import { h } from './dom';
import { runLabel, shortRun, WORKING } from './model';
import { IOpener } from './panel';
import { ReportView, tabsOf } from './reports';

const COMPARISON = 'comparison';

/** Two runs side by side, or a run and the working copy: a report that is made for this tab. */
export class DiffView extends ReportView {
  constructor(
    api: Api,
    settings: ServerConnection.ISettings,
    opener: IOpener,
    theme: string,
    private readonly edits: () => Edits,
    readonly pair: IPair
  ) {
    super(api, settings, opener, theme);
    this.addClass('nbops-diff');
    this.node.setAttribute('aria-label', 'Two runs compared');
    this.project = pair.project;
    this.title.label = 'Compare runs';
    this.body.before(this.said);
  }

  /** Ask for the runs, and compare the two that are wanted. What cannot be is told in the tab. */
  async begin(): Promise<void> {
    const answered = await this.compare();
    await this.readRuns();
    this.drawBar();
    if (!answered) {
      this.node.querySelector<HTMLElement>('select:enabled')?.focus();
    }
  }

  private async readRuns(): Promise<void> {
    try {
      const { runs, more } = await this.api.runs(this.project);
      this.runs = runs;
      this.older = more;
    } catch {
      // it was told already, by what could not be compared
    }
  }

  private async compare(): Promise<boolean> {
    const asked = ++this.asked;
    try {
      const answer = await this.api.compare(this.pair, this.edits(), this.view);
      if (asked !== this.asked || this.isDisposed) {
        return true; // another choice was made meanwhile
      }
      this.pair.before = answer.before;
      this.pair.after = answer.after;
      this.complain('');
      this.take(answer);
      this.title.label = this.labelOf(COMPARISON);
      this.title.caption = this.captionOf(COMPARISON);
    } catch (error) {
      if (asked === this.asked) {
        this.complain(error instanceof Error ? error.message : String(error));
      }
      return false;
    } finally {
      this.drawBar();
    }
    return true;
  }

  private complain(text: string): void {
    this.said.textContent = text;
    this.said.hidden = !text;
    // not by `hidden`: a frame that is laid out anew while it loads can stay without a layout
    this.body.style.visibility = text ? 'hidden' : '';
    if (text) {
      this.title.label = 'Compare runs';
    }
  }

  protected async again(): Promise<void> {
    await this.compare();
  }

  reload(): unknown {
    return this.page === COMPARISON || !this.page ? this.compare() : super.reload();
  }

  protected labelOf(page: string): string {
    return page === COMPARISON ? `${shortRun(this.pair.before)} → ${shortRun(this.pair.after)}` : super.labelOf(page);
  }

  protected captionOf(page: string): string {
    return page === COMPARISON ? [this.pair.before, '→', this.pair.after === WORKING ? 'working copy' : this.pair.after].join(' ') : page;
  }

  protected newer(state: IReportState): string {
    const known = this.runs[0]?.id;
    if (state.newest && known && state.newest > known && this.asksFor !== state.newest) {
      this.asksFor = state.newest;
      void this.readRuns().then(() => this.drawBar());
    }
    const latest = this.runs[0]?.id;
    const both = [this.pair.before, this.pair.after];
    if (state.page !== COMPARISON) {
      return super.newer(state);
    }
    return latest && this.pair.after !== latest && this.opened < latest && !both.includes(latest) ? 'There is a newer run than the ones shown.' : '';
  }

  protected toolsKey(): unknown {
    return [this.pair, this.runs.map(run => [run.id, run.verdict, run.status])];
  }

  protected tools(): HTMLElement[] {
    if (!this.opened && this.runs.length) {
      this.opened = this.runs[0].id;
    }
    const { before, after } = this.pair;
    const swappable = before !== after && after !== WORKING && !!before && !!after;
    return [
      h(
        'div',
        { class: 'nbops-pair' },
        this.select('Before', 'before', this.runs),
        this.button('Swap', 'swap', !swappable, () => this.choose({ before: after, after: before })),
        this.select('After', 'after', this.runs, [{ value: WORKING, text: this.pair.task ? `Working copy of ${this.pair.task}` : 'Working copy' }])
      )
    ];
  }

  private choose(pair: Partial<IPair>): void {
    this.wish = '';
    Object.assign(this.pair, pair);
    void this.compare();
  }

  private select(label: string, key: 'before' | 'after', runs: IChoice[], more: { value: string; text: string }[] = []): HTMLElement {
    const chosen = this.pair[key];
    const options = [...more, ...runs.map(run => ({ value: run.id, text: runLabel(run) }))];
    if (!options.some(one => one.value === chosen)) {
      options.unshift({ value: chosen, text: chosen || 'Choose a run' });
    }
    if (this.older) {
      options.push({ value: '', text: `and ${this.older} older ones: nbops diff` });
    }
    const box = h(
      'select',
      { 'data-key': key, disabled: !runs.length, title: runs.find(run => run.id === chosen)?.headline },
      ...options.map((one, place) => h('option', { value: one.value, selected: one.value === chosen, disabled: !one.value && place > 0 }, one.text))
    ) as HTMLSelectElement;
    box.addEventListener('change', () => this.choose({ [key]: box.value }));
    return h('label', {}, label, box);
  }

  /** What this tab was opened for, until somebody chose something else. */
  wish = '';
  private readonly said = h('p', { class: 'nbops-problem', role: 'alert', hidden: true });
  private runs: IChoice[] = [];
  private older = 0;
  private asked = 0;
  private asksFor = '';
  private opened = '';
}

/** The cells of a project's notebooks that are open here with changes that are not saved. */
function unsaved(app: JupyterFrontEnd): Edits {
  const found: Edits = {};
  for (const widget of app.shell.widgets('main')) {
    if (widget instanceof NotebookPanel && widget.context.isReady && widget.context.model.dirty) {
      found[widget.context.path] = widget.content.widgets.map(cell => ({
        cell_type: cell.model.type,
        source: cell.model.sharedModel.getSource(),
        metadata: { tags: (cell.model.getMetadata('tags') as string[] | undefined) ?? [] }
      }));
    }
  }
  return found;
}

export function diffs(openerOf: (app: JupyterFrontEnd) => IOpener, icon: LabIcon): JupyterFrontEndPlugin<void> {
  return {
    id: 'nbops:diffs',
    description: 'Two runs compared, in a tab of its own.',
    autoStart: true,
    optional: [ILayoutRestorer, ICommandPalette, IThemeManager],
    activate: (app: JupyterFrontEnd, restorer: ILayoutRestorer | null, palette: ICommandPalette | null, themes: IThemeManager | null) => {
      const { settings, api, opener, tracker, theme } = tabsOf<DiffView>(app, openerOf, themes, 'nbops-diff');
      let made = 0;
      app.commands.addCommand('nbops:open-diff', {
        label: 'Compare Two Runs',
        caption: 'What changed from one run to another, or since a run',
        describedBy: { args: {
            type: 'object',
            properties: {
              project: { type: 'string', description: 'As the sidebar names it; the first by default' },
              before: { type: 'string', description: 'The id of a run; the run before by default' },
              after: { type: 'string', description: 'The id of a run, or `working`; the latest run by default' },
              task: { type: 'string', description: 'Shown first; of the working copy only this one' }
            }
          } },
        execute: async args => {
          const text = (name: string) => (typeof args[name] === 'string' ? (args[name] as string) : undefined);
          const project = text('project') ?? (await api.projects())[0] ?? '';
          const pair: IPair = { project, before: text('before') ?? '', after: text('after') ?? '', task: text('task') };
          const wish = JSON.stringify(pair);
          const there = tracker.find(one => one.wish === wish);
          if (there) {
            app.shell.activateById(there.id);
            await there.reload();
            return;
          }
          const view = new DiffView(api, settings, opener, theme(), () => unsaved(app), pair);
          view.wish = wish;
          view.title.icon = icon;
          view.id = `nbops-diff-${++made}-${Date.now()}`;
          app.shell.add(view, 'main');
          void tracker.add(view);
          app.shell.activateById(view.id);
          await view.begin();
          await tracker.save(view);
        }
      });
      palette?.addItem({ command: 'nbops:open-diff', category: 'nbops' });
      if (restorer) {
        void restorer.restore(tracker, {
          command: 'nbops:open-diff',
          args: view => ({ ...view.pair, task: view.pair.task ?? null }),
          name: view => view.id
        });
      }
    }
  };
}
