import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, InputDialog, Notification, showDialog, showErrorMessage, ToolbarButton } from '@jupyterlab/apputils';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';
import { Api } from './api';
import { count, failing, INotebookDataset, INotebookState, ISources, whereIs } from './cells';
import { button, h } from './dom';
import { WORKING } from './model';

const BUSY = 2000; // milliseconds between two questions while a build goes on
const IDLE = 15000;
const BANNER = 'nbops-cell-banner';

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** What one open notebook is told of its task: buttons above it, checks at its cells. */
class TaskView implements IDisposable {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly api: Api,
    private readonly panel: NotebookPanel,
    private tables: boolean
  ) {
    this.header.addClass('nbops-notebook-checks');
    this.header.hide();
    panel.contentHeader.addWidget(this.header);
    const model = panel.context.model;
    panel.context.saveState.connect(this.onSaved, this);
    model.cells.changed.connect(this.onCells, this);
    panel.sessionContext.statusChanged.connect(this.onKernel, this);
    void panel.context.ready.then(() => this.refresh());
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    if (this.disposed) {
      return;
    }
    this.disposed = true;
    window.clearTimeout(this.timer);
    window.clearTimeout(this.soon);
    this.panel.context.saveState.disconnect(this.onSaved, this);
    this.panel.context.model?.cells.changed.disconnect(this.onCells, this);
    this.panel.sessionContext.statusChanged.disconnect(this.onKernel, this);
    this.buttons.forEach(one => one.dispose());
    this.header.dispose();
  }

  get state(): INotebookState | null {
    return this.found?.task ? this.found : null;
  }

  /** Ask the server, show what it says, and ask again later. */
  async refresh(): Promise<void> {
    window.clearTimeout(this.timer);
    if (this.disposed) {
      return;
    }
    try {
      this.found = await this.api.notebook(this.panel.context.path);
    } catch {
      // the server is away, or serves no such file any longer: what was known stays
    }
    if (this.disposed) {
      return;
    }
    if (this.state && !this.buttons.length) {
      this.addButtons();
      await this.switchTables(this.tables);
    }
    this.draw();
    if (this.state) {
      this.timer = window.setTimeout(() => void this.refresh(), this.state.building ? BUSY : IDLE);
    }
  }

  /** Save the notebook and run its task as the pipeline would. */
  async run(): Promise<void> {
    const state = this.state;
    if (!state) {
      return;
    }
    try {
      if (this.panel.context.model.dirty) {
        await this.panel.context.save();
      }
      await this.api.start({ project: state.project!, pipeline: state.pipeline ?? null, task: state.task!, force: true });
    } catch (error) {
      void showErrorMessage('The task was not run', message(error));
      return;
    }
    const id = Notification.emit(`Running ${state.task} as the pipeline would`, 'in-progress', { autoClose: false });
    await this.refresh();
    while (!this.disposed && this.state?.building) {
      await new Promise(done => window.setTimeout(done, BUSY));
      await this.refresh();
    }
    const after = this.state;
    const checks = (after?.datasets ?? []).flatMap(item => item.checks);
    const bad = after?.status === 'failed' || checks.some(one => one.verdict === 'failed' || one.verdict === 'errored');
    const words = after ? `${after.task}: ${after.status ?? 'not run'}${checks.length ? `, checks: ${count(checks)}` : ''}` : '';
    Notification.update({ id, message: words || 'It ended', type: bad ? 'error' : 'success', autoClose: 8000 });
  }

  /** Show all checks above the notebook, or hide them again. */
  showChecks(): void {
    this.wanted = !this.wanted;
    this.drawn = '';
    this.draw();
    if (this.wanted) {
      this.header.node.querySelector<HTMLElement>('button')?.focus();
    }
  }

  /** Open what was edited since the last run; where nothing was, what changed between the last two runs. */
  async compare(): Promise<void> {
    const state = this.state;
    if (!state) {
      return;
    }
    const edited = this.panel.context.model.dirty || state.stale !== false || !state.before;
    const [before, after] = edited ? [state.run ?? '', WORKING] : ['', '']; // the server knows in which runs it ran last
    try {
      await this.app.commands.execute('nbops:open-diff', { project: state.project, before, after, task: state.task });
    } catch (error) {
      void showErrorMessage('The runs were not compared', message(error));
    }
  }

  /** Ask for a column and tell what it comes from, as `%lineage` does. */
  async sources(): Promise<void> {
    const state = this.state;
    const columns = (state?.datasets ?? []).flatMap(item => [item.name, ...item.columns.map(column => `${item.name}.${column}`)]);
    if (!state || !columns.length) {
      void showDialog({ title: 'Column sources', body: 'No run has recorded data of this task yet.', buttons: [Dialog.okButton()] });
      return;
    }
    const asked = await InputDialog.getItem({ title: 'Column sources', label: 'Dataset or column', items: columns, okLabel: 'Show' });
    if (!asked.button.accept || !asked.value) {
      return;
    }
    try {
      const found = await this.api.sources(state.project!, asked.value);
      await showDialog({ title: `${found.node} comes from`, body: sourcesTable(found), buttons: [Dialog.okButton()] });
    } catch (error) {
      void showErrorMessage('Column sources', message(error));
    }
  }

  /** Have the kernel tell of the tables that cells make, or stop it. */
  async switchTables(on: boolean): Promise<void> {
    const changed = on !== this.tables;
    this.tables = on;
    const pressed = this.tablesButton;
    if (pressed) {
      pressed.pressed = on;
    }
    const kernel = this.panel.sessionContext.session?.kernel;
    if (!kernel || !this.state || (!on && !changed) || kernel.info === undefined) {
      return;
    }
    const info = await kernel.info;
    if (info.language_info.name !== 'python') {
      return;
    }
    const code = on ? "get_ipython().run_line_magic('load_ext', 'nbops')\nget_ipython().run_line_magic('tables', 'on')" : "get_ipython().run_line_magic('tables', 'off')";
    const reply = await kernel.requestExecute({ code, silent: true, store_history: false, stop_on_error: false }).done;
    if (reply.content.status === 'error' && on) {
      this.tables = false;
      if (pressed) {
        pressed.pressed = false;
      }
      const missing = reply.content.ename === 'ModuleNotFoundError';
      const words = missing ? "This notebook's kernel is in an environment without nbops. In a cell: %pip install nbops" : `${reply.content.ename}: ${reply.content.evalue}`;
      Notification.warning(words, { autoClose: false });
    }
  }

  async toggleTables(): Promise<void> {
    await this.switchTables(!this.tables);
  }

  private onSaved(_: unknown, what: string): void {
    if (what === 'completed') {
      void this.refresh();
    }
  }

  private onCells(): void {
    window.clearTimeout(this.soon);
    this.soon = window.setTimeout(() => {
      this.drawn = '';
      this.draw();
    }, 200);
  }

  private onKernel(_: unknown, status: string): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'starting') {
      this.fresh = true; // a kernel that begins knows nothing of what was switched on
    } else if (status === 'idle' && this.fresh) {
      this.fresh = false;
      if (this.tables) {
        void this.switchTables(true);
      }
    }
  }

  private addButtons(): void {
    const add = (name: string, label: string, tooltip: string, onClick: () => void) => {
      const made = new ToolbarButton({ label, tooltip, onClick });
      made.addClass('nbops-toolbar');
      this.buttons.push(made);
      if (!this.panel.toolbar.insertBefore('spacer', name, made)) {
        this.panel.toolbar.addItem(name, made);
      }
      return made;
    };
    add('nbops-run', 'Run task', 'Save, and run this task as the pipeline would', () => void this.run());
    add('nbops-checks', 'Checks', "Show the checks of this task's data in its last run", () => this.showChecks());
    add('nbops-compare', 'Compare', 'What was edited since the last run; where nothing was, what changed between the last two', () => void this.compare());
    add('nbops-sources', 'Sources', 'What a column comes from', () => void this.sources());
    this.tablesButton = add('nbops-tables', 'Tables', 'After each cell: rows and nulls of the tables that it made', () => void this.toggleTables());
    this.tablesButton.pressed = this.tables;
  }

  private draw(): void {
    const state = this.state;
    const cells = this.panel.content.widgets;
    const open = cells.map(cell => ({ source: cell.model.sharedModel.getSource(), tags: (cell.model.getMetadata('tags') as string[] | undefined) ?? [] }));
    const now = JSON.stringify([state, this.wanted, open.map(one => one.source)]);
    if (now === this.drawn) {
      return;
    }
    this.drawn = now;
    cells.forEach(cell => cell.node.querySelectorAll(`:scope > .${BANNER}`).forEach(one => one.remove()));
    const lost: HTMLElement[] = [];
    const put = (banner: HTMLElement, place: number) => (place >= 0 && cells[place] ? void cells[place].node.append(banner) : void lost.push(banner));
    for (const item of state?.datasets ?? []) {
      const bad = failing(item);
      if (bad.length) {
        const where = item.cell === null ? { place: -1, note: 'Which cell made it is not known.' } : whereIs(item.cell, item.source, open);
        put(this.banner(item, where.note), where.place);
      }
    }
    const failure = state?.failure;
    if (failure) {
      const where = whereIs(failure.cell, failure.source, open);
      const words = [`${failure.kind}: ${failure.message}`, where.note].filter(Boolean);
      put(h('div', { class: `${BANNER} nbops-bad`, role: 'note', 'aria-label': 'The cell that failed' }, ...words.map(text => h('p', {}, text))), where.place);
    }
    const parts = [...(state?.building ? [h('p', { role: 'status' }, 'A build is going on.')] : []), ...(this.wanted && state ? this.allChecks(state) : []), ...lost];
    this.header.node.replaceChildren(...parts);
    this.header.setHidden(!parts.length);
    this.fit();
  }

  /** Give the strip above the notebook the height of what stands in it; Lab's box would give it none. */
  private fit(): void {
    const style = this.header.node.style;
    const { height, width } = style; // the box remembers what it has set
    style.minHeight = style.height = '0';
    style.width = `${this.panel.node.clientWidth}px`;
    const tall = this.header.node.scrollHeight + 1; // and the line below it
    Object.assign(style, { height, width });
    style.minHeight = this.header.isHidden ? '' : `min(${tall}px, 40vh)`;
    this.panel.contentHeader.fit();
  }

  private banner(item: INotebookDataset, note: string): HTMLElement {
    const bad = failing(item);
    const worst = bad.some(one => one.verdict !== 'warned') ? 'nbops-bad' : 'nbops-warn';
    return h(
      'div',
      { class: `${BANNER} ${worst}`, role: 'note', 'aria-label': `Checks of ${item.name}`, 'data-dataset': item.name },
      h('p', {}, h('strong', {}, `${item.name}: ${count(bad)}`), item.published ? '' : ' (not published: the last good version stays)'),
      h('ul', {}, ...bad.map(one => h('li', {}, `${one.verdict}: ${one.id}: ${one.message}`))),
      note ? h('p', { class: 'nbops-note' }, note) : null
    );
  }

  private allChecks(state: INotebookState): HTMLElement[] {
    const head = state.run ? `${state.task} in run ${state.run}: ${state.status ?? 'not run'}` : `${state.task}: no runs yet`;
    const why = state.stale ? `Stale: ${(state.reasons ?? []).join('; ')}` : '';
    const sets = (state.datasets ?? []).map(item =>
      h(
        'li',
        {},
        h('strong', {}, `${item.name}: ${item.checks.length ? count(item.checks) : 'no checks'}`),
        item.cell !== null ? button(`Go to its cell`, `go:${item.name}`, () => void this.goTo(item), { label: `Go to the cell that made ${item.name}` }) : null,
        h('ul', {}, ...item.checks.map(one => h('li', {}, `${one.verdict}: ${one.id}${one.message ? `: ${one.message}` : ''}`)))
      )
    );
    return [
      h('p', {}, h('strong', {}, head)),
      ...(why ? [h('p', { class: 'nbops-note' }, why)] : []),
      ...(state.error ? [h('p', { class: 'nbops-note' }, state.error)] : []),
      h('ul', { 'aria-label': 'Checks' }, ...sets),
      button('Close', 'close', () => this.showChecks(), { label: 'Close the checks' })
    ];
  }

  private async goTo(item: INotebookDataset): Promise<void> {
    const open = this.panel.content.widgets.map(cell => ({ source: cell.model.sharedModel.getSource(), tags: (cell.model.getMetadata('tags') as string[] | undefined) ?? [] }));
    const { place } = whereIs(item.cell!, item.source, open);
    if (place >= 0) {
      this.panel.content.activeCellIndex = place;
      await this.panel.content.scrollToItem(place, 'center');
    }
  }

  private readonly header = new Widget({ node: h('section', { 'aria-label': 'Checks of this task' }) });
  private readonly buttons: ToolbarButton[] = [];
  private tablesButton: ToolbarButton | null = null;
  private found: INotebookState | null = null;
  private wanted = false;
  private disposed = false;
  private fresh = false;
  private timer = 0;
  private soon = 0;
  private drawn = '';
}

function sourcesTable(found: ISources): Widget {
  const heads = ['', 'what', 'steps', 'how', 'task and cells'];
  const table = h(
    'table',
    { class: 'nbops-sources' },
    h('thead', {}, h('tr', {}, ...heads.map(name => h('th', { scope: 'col' }, name || 'way')))),
    h('tbody', {}, ...found.rows.map(row => h('tr', {}, ...row.map(cell => h('td', {}, cell)))))
  );
  const rest = found.more ? `and ${found.more} more` : `as run ${found.run} says`;
  return new Widget({ node: h('div', { tabindex: '0' }, found.rows.length ? table : h('p', {}, 'Nothing is known of it.'), h('p', {}, rest)) });
}

export const notebook: JupyterFrontEndPlugin<void> = {
  id: 'nbops:notebook',
  description: "In a task's notebook: run it as the pipeline would, its checks at its cells, column sources, tables.",
  autoStart: true,
  optional: [ISettingRegistry, ICommandPalette],
  activate: (app: JupyterFrontEnd, registry: ISettingRegistry | null, palette: ICommandPalette | null) => {
    const api = new Api(app.serviceManager.serverSettings);
    const views = new Map<NotebookPanel, TaskView>();
    let tables = false;
    void registry
      ?.load('nbops:notebook')
      .then(settings => {
        const read = () => {
          tables = settings.get('tables').composite === true;
          views.forEach(view => void view.switchTables(tables));
        };
        settings.changed.connect(read);
        read();
      })
      .catch(error => console.warn(`nbops: settings: ${error}`));
    const extension: DocumentRegistry.IWidgetExtension<NotebookPanel, INotebookModel> = {
      createNew: panel => {
        const view = new TaskView(app, api, panel, tables);
        views.set(panel, view);
        panel.disposed.connect(() => {
          views.delete(panel);
          view.dispose();
        });
        return new DisposableDelegate(() => {
          views.delete(panel);
          view.dispose();
        });
      }
    };
    app.docRegistry.addWidgetExtension('Notebook', extension);
    const current = () => {
      const widget = app.shell.currentWidget;
      const view = widget instanceof NotebookPanel ? views.get(widget) : undefined;
      return view?.state ? view : undefined;
    };
    const commands: [string, string, (view: TaskView) => unknown][] = [
      ['nbops:run-task', "Run This Notebook's Task", view => view.run()],
      ['nbops:show-checks', "Show This Task's Checks", view => view.showChecks()],
      ['nbops:compare-runs', 'Compare with the Last Run', view => view.compare()],
      ['nbops:column-sources', 'Column Sources…', view => view.sources()],
      ['nbops:toggle-tables', 'Tables after Each Cell', view => view.toggleTables()]
    ];
    for (const [id, label, execute] of commands) {
      app.commands.addCommand(id, {
        label,
        describedBy: { args: { type: 'object', properties: {} } },
        isEnabled: () => current() !== undefined,
        execute: () => {
          const view = current();
          return view ? execute(view) : undefined;
        }
      });
      palette?.addItem({ command: id, category: 'nbops' });
    }
    app.contextMenu.addItem({ command: 'nbops:column-sources', selector: '.jp-Notebook', rank: 61 });
  }
};
