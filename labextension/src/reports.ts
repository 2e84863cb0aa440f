import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, IThemeManager, showDialog, showErrorMessage, WidgetTracker } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { NotebookPanel } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { LabIcon } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { Api, IOpened, IReportState, IWanted } from './api';
import { h } from './dom';
import { cellOfPlace, runOf, titleOf } from './model';
import { IOpener } from './panel';

const AGAIN = 5000; // milliseconds between two looks for a newer page, while it is seen

/** A page of the reports in a tab: in a frame that may do nothing but show it. */
export class ReportView extends Widget {
  constructor(
    protected readonly api: Api,
    private readonly settings: ServerConnection.ISettings,
    protected readonly opener: IOpener,
    private theme: string
  ) {
    super({ node: h('section', { 'aria-label': 'Report', tabindex: '-1' }) });
    this.addClass('nbops-report');
    this.title.closable = true;
    this.title.label = 'Report';
    // no word in the sandbox: no script, no form, no other window, no way to the top, an origin of its own
    this.frame.setAttribute('sandbox', '');
    this.frame.addEventListener('load', () => {
      this.settle();
      void this.look(true);
    });
    this.node.append(this.bar, this.news, this.body);
  }

  /** What a tab that is opened again begins with. */
  get page(): string {
    return this.state?.page ?? this.wanted;
  }

  /** Show a page; by default that of the project's latest run. */
  async turn(wanted: IWanted = { project: this.project }): Promise<void> {
    this.take(await this.api.openReport(wanted));
  }

  /** Show what the server has opened. */
  protected take(answer: IOpened): void {
    const old = this.view;
    if (answer.view !== old) {
      this.view = answer.view;
      this.serial = 0;
      this.sent = 0;
      this.ahead = 0;
    }
    this.project = answer.project;
    if (this.state) {
      this.state.stamp = null; // what comes is not the same made anew, of which the frame would have to be told
    }
    this.go(answer.page);
    if (old && old !== answer.view) {
      void this.api.closeReport(old).catch(() => undefined);
    }
  }

  /** Open anew what is shown, after the server has forgotten it. */
  protected async again(): Promise<void> {
    await this.turn({ project: this.project, path: this.page });
  }

  /** Where in the page it was to begin. */
  get wantedFragment(): string {
    return this.fragment;
  }

  /** Turn to a place of the page that is shown. */
  turnTo(fragment: string): void {
    if (fragment) {
      this.go(`${this.page}#${fragment}`);
    }
  }

  /** Show pages light or dark, as JupyterLab is. */
  wear(theme: string): void {
    if (theme !== this.theme) {
      this.theme = theme;
      this.go(this.page);
    }
  }

  /** Ask what is shown now, whether a link led out of the reports, and whether there is something newer. */
  private async look(loaded = false): Promise<void> {
    window.clearTimeout(this.timer);
    if (this.isDisposed || !this.view) {
      return;
    }
    if (this.looking) {
      this.loaded ||= loaded;
      return;
    }
    this.looking = true;
    try {
      const state = await this.api.report(this.view);
      this.problem = '';
      this.heed(state);
      if (loaded) {
        this.guard(state);
      } else {
        this.ahead = 0; // of loads that another one overtook
      }
    } catch (error) {
      if (error instanceof Error && error.message.includes('no such view')) {
        await this.again().catch(failed => (this.problem = String(failed))); // the server was started anew
      } else {
        this.problem = `The server does not answer: ${error instanceof Error ? error.message : String(error)}`;
      }
    } finally {
      this.looking = false;
    }
    this.drawBar();
    if (this.loaded) {
      this.loaded = false;
      await this.look(true);
      return;
    }
    if (this.isVisible) {
      this.timer = window.setTimeout(() => void this.look(), AGAIN);
    }
  }

  /** Have the frame laid out anew: Chromium can leave one without a layout, blank, when Lab's own changed while it loaded. */
  private settle(): void {
    const focused = document.activeElement === this.frame;
    for (const display of ['none', '']) {
      this.frame.style.display = display;
      void this.frame.offsetHeight; // reading it is what lays it out
    }
    if (focused) {
      this.frame.focus();
    }
  }

  /** Take the frame back when it has loaded something that is not from this server. */
  private guard(state: IReportState): void {
    this.ahead += state.sent - this.sent - 1; // an answer may be counted before the frame says that it has loaded it
    this.sent = state.sent;
    if (this.ahead >= 0) {
      return;
    }
    this.ahead = 0;
    this.go(state.page);
    this.opener.complain('A link was not followed', 'It leads out of the reports in a way that hides where to.');
  }

  private heed(state: IReportState): void {
    const before = this.state;
    this.state = state;
    if (before?.page !== state.page) {
      if (before && !this.goingBack) {
        this.visited.push(before.page);
      }
      this.goingBack = false;
      this.title.label = this.labelOf(state.page);
      this.title.caption = this.captionOf(state.page);
      this.frame.title = `Report: ${this.title.label}`;
    } else if (before.stamp && before.stamp !== state.stamp && state.stamp) {
      this.go(state.page); // it was rendered anew
    }
    const wish = state.wish;
    if (wish && wish.serial > this.serial) {
      this.serial = wish.serial;
      if (wish.outside) {
        void askToLeave(wish.path!);
      } else if (wish.path === null) {
        this.opener.complain('The file cannot be opened', 'It is outside of the folder that JupyterLab serves.');
      } else {
        void this.opener.notebook(wish.path, wish.cell ?? undefined).catch(error => this.opener.complain('The file was not opened', error));
      }
    }
  }

  protected labelOf(page: string): string {
    return titleOf(page);
  }

  protected captionOf(page: string): string {
    return page;
  }

  protected go(page: string): void {
    const [path, fragment] = page.split('#');
    this.wanted = path;
    this.fragment = fragment ?? '';
    this.loads += 1;
    // the number has the frame load the page again also where only the fragment would differ
    const parts = path.split('/').map(encodeURIComponent).join('/');
    const address = URLExt.join(this.settings.baseUrl, 'nbops', 'report', `${this.view}.${this.theme}`, parts);
    this.frame.src = `${address}?load=${this.loads}${fragment ? `#${fragment}` : ''}`;
  }

  /** What stands before the buttons. */
  protected tools(): HTMLElement[] {
    return [];
  }

  /** What changes the tools. */
  protected toolsKey(): unknown {
    return null;
  }

  /** Load what is shown anew. */
  reload(): unknown {
    return this.go(this.page);
  }

  /** Tell of something newer than what is shown. */
  protected newer(state: IReportState): string {
    const shown = runOf(state.page);
    return state.newest && shown && shown < state.newest ? 'There is a newer run than the one shown.' : '';
  }

  protected drawBar(): void {
    const state = this.state;
    const source = state?.source;
    const newer = state ? this.newer(state) : '';
    const now = JSON.stringify([this.visited.length, state?.page, source, newer, this.problem, this.toolsKey()]);
    if (now === this.drawn) {
      return; // what has the focus keeps it
    }
    this.drawn = now;
    const focused = this.node.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.key : undefined;
    this.bar.replaceChildren(
      ...this.tools(),
      this.button('Back', 'back', !this.visited.length, () => {
        this.goingBack = true;
        this.go(this.visited.pop()!);
      }),
      this.button('Reload', 'reload', !state, () => this.reload()),
      this.button('Latest run', 'latest', false, () =>
        this.turn().catch(error => this.opener.complain('The latest run was not opened', error))
      ),
      this.button('Notebook', 'notebook', !source, () => this.opener.notebook(source!)),
      h('span', { class: 'nbops-where' }, state ? this.captionOf(state.page) : '')
    );
    const news = this.problem || newer;
    this.news.textContent = news;
    this.news.hidden = !news;
    if (focused) {
      this.node.querySelector<HTMLElement>(`[data-key="${focused}"]:enabled`)?.focus();
    }
  }

  protected button(text: string, key: string, disabled: boolean, then: () => unknown): HTMLElement {
    return h('button', { type: 'button', class: 'nbops-button', 'data-key': key, disabled, click: () => void then() }, text);
  }

  protected onBeforeAttach(message: Message): void {
    super.onBeforeAttach(message);
    this.drawBar();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this.look();
  }

  /** Take the focus, by which JupyterLab knows the current tab. */
  protected onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.focus();
  }

  protected onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    window.clearTimeout(this.timer);
  }

  protected onCloseRequest(message: Message): void {
    super.onCloseRequest(message);
    this.dispose();
  }

  dispose(): void {
    window.clearTimeout(this.timer);
    if (this.view && !this.isDisposed) {
      void this.api.closeReport(this.view).catch(() => undefined);
    }
    super.dispose();
  }

  private readonly bar = h('div', { class: 'nbops-bar', role: 'group', 'aria-label': 'Report' });
  private readonly news = h('p', { class: 'nbops-news', role: 'status', hidden: true });
  private readonly frame = h('iframe', { title: 'Report' }) as HTMLIFrameElement;
  protected readonly body = h('div', { class: 'jp-IFrame nbops-frame' }, this.frame);
  private readonly visited: string[] = [];
  project = '';
  protected view = '';
  private wanted = '';
  private fragment = '';
  protected state: IReportState | null = null;
  private serial = 0;
  private sent = 0;
  private ahead = 0;
  private loaded = false;
  private loads = 0;
  private goingBack = false;
  private looking = false;
  protected problem = '';
  private drawn = '';
  private timer = 0;
}

/** Ask before a link of a report opens a page elsewhere, in a tab of the browser's that knows nothing of this one. */
async function askToLeave(address: string): Promise<void> {
  const body = new Widget({ node: h('div', {}, h('p', {}, 'This link leads out of the reports:'), h('p', {}, h('code', { class: 'nbops-address' }, address))) });
  const answer = await showDialog({
    title: 'Open in a new browser tab?',
    body,
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Open' })],
    defaultButton: 0
  });
  if (answer.button.accept) {
    window.open(address, '_blank', 'noopener,noreferrer');
  }
}

/** The place of an open notebook's active cell as pages count cells: without the injected one. */
function cellShown(panel: NotebookPanel): number | undefined {
  const tags = panel.content.widgets.map(one => (one.model.getMetadata('tags') as string[] | undefined) ?? []);
  return cellOfPlace(panel.content.activeCellIndex, tags);
}

/** What tabs of one kind share: ways to the server and to the rest of Lab, what keeps them, and the theme that they follow. */
export function tabsOf<T extends ReportView>(
  app: JupyterFrontEnd,
  openerOf: (app: JupyterFrontEnd) => IOpener,
  themes: IThemeManager | null,
  namespace: string
) {
  const settings = app.serviceManager.serverSettings;
  const tracker = new WidgetTracker<T>({ namespace });
  const theme = () => (themes?.theme && !themes.isLight(themes.theme) ? 'dark' : 'light');
  themes?.themeChanged.connect(() => tracker.forEach(view => view.wear(theme())));
  return { settings, api: new Api(settings), opener: openerOf(app), tracker, theme };
}

export function reports(openerOf: (app: JupyterFrontEnd) => IOpener, icon: LabIcon): JupyterFrontEndPlugin<void> {
  return {
    id: 'nbops:reports',
    description: 'Reports in tabs of their own, shut in a sandbox.',
    autoStart: true,
    optional: [ILayoutRestorer, ICommandPalette, IThemeManager],
    activate: (app: JupyterFrontEnd, restorer: ILayoutRestorer | null, palette: ICommandPalette | null, themes: IThemeManager | null) => {
      const { settings, api, opener, tracker, theme } = tabsOf<ReportView>(app, openerOf, themes, 'nbops-report');
      let made = 0;
      const open = async (wanted: IWanted): Promise<void> => {
        const view = new ReportView(api, settings, opener, theme());
        view.title.icon = icon;
        try {
          await view.turn(wanted);
        } catch (error) {
          view.dispose();
          void showErrorMessage('The report was not opened', error instanceof Error ? error.message : String(error));
          return;
        }
        const there = tracker.find(one => one.project === view.project && one.page === view.page);
        if (there) {
          view.dispose();
          there.turnTo(view.wantedFragment);
          app.shell.activateById(there.id);
          return;
        }
        view.id = `nbops-report-${++made}-${Date.now()}`;
        app.shell.add(view, 'main');
        void tracker.add(view);
        app.shell.activateById(view.id);
      };
      app.commands.addCommand('nbops:open-report', {
        label: 'Open the Report of the Latest Run',
        caption: "A page of the project's reports, in a tab of its own",
        describedBy: { args: {
            type: 'object',
            properties: {
              project: { type: 'string', description: 'As the sidebar names it; the first by default' },
              path: { type: 'string', description: "Relative to the project's root; the latest run's page by default" },
              served: { type: 'string', description: 'Instead: relative to the folder that JupyterLab serves' }
            }
          } },
        execute: async args => {
          const text = (name: string) => (typeof args[name] === 'string' ? (args[name] as string) : undefined);
          const served = text('served');
          await open(served ? { served } : { project: text('project') ?? (await api.projects())[0] ?? '', path: text('path') });
        }
      });
      app.commands.addCommand('nbops:open-run-page', {
        label: "Open This Notebook's Page in the Latest Run",
        caption: 'At the cell that is active',
        describedBy: { args: { type: 'object', properties: {} } },
        isEnabled: () => app.shell.currentWidget instanceof NotebookPanel,
        execute: async () => {
          const panel = app.shell.currentWidget;
          if (panel instanceof NotebookPanel) {
            await open({ notebook: panel.context.path, cell: cellShown(panel) });
          }
        }
      });
      app.contextMenu.addItem({ command: 'nbops:open-run-page', selector: '.jp-Notebook', rank: 60 });
      palette?.addItem({ command: 'nbops:open-report', category: 'nbops' });
      palette?.addItem({ command: 'nbops:open-run-page', category: 'nbops' });
      if (restorer) {
        void restorer.restore(tracker, {
          command: 'nbops:open-report',
          args: view => ({ project: view.project, path: view.page }),
          name: view => `${view.project}:${view.page}`
        });
      }
    }
  };
}
