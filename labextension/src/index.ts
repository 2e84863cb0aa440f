import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, InputDialog, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { NotebookPanel } from '@jupyterlab/notebook';
import { LabIcon } from '@jupyterlab/ui-components';
import { Api } from './api';
import { learn } from './filetypes';
import { launcher } from './launcher';
import { placeOfCell } from './model';
import { notebook } from './notebook';
import { IOpener, Panel } from './panel';
import { kernels } from './kernel';
import { diffs } from './diff';
import { reports } from './reports';

const ICON = new LabIcon({
  name: 'nbops:pipeline',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16"><g class="jp-icon3" fill="#616161">' +
    '<path d="M3 4h7v5H3zM14 15h7v5h-7zM5.5 9h2v7H13v2H5.5z"/></g></svg>'
});

const notebooks: JupyterFrontEndPlugin<void> = {
  id: 'nbops:notebooks',
  description: "Opens the percent .py files that are a pipeline's notebooks as notebooks; other modules stay text.",
  autoStart: true,
  activate: learn
};

function openerOf(app: JupyterFrontEnd): IOpener {
  const open = (path: string, factory?: string) => app.commands.execute('docmanager:open', { path, ...(factory ? { factory } : {}) });
  const complain = (title: string, error: unknown) =>
    void showErrorMessage(title, error instanceof Error ? error.message : String(error));
  return {
    complain,
    file: async (path, line) => {
      const widget: unknown = await open(path, line === undefined ? undefined : 'Editor');
      if (line !== undefined && widget instanceof DocumentWidget) {
        await widget.context.ready;
        await widget.revealed;
        widget.setFragment(`#line=${line - 1}`);
      }
    },
    reason: async (title, text, accept, needed) => {
      const answer = await InputDialog.getText({
        title,
        label: `${text}. ${needed ? 'Why is it as it should be?' : 'What do you have to say? (may be empty)'}`,
        okLabel: accept,
        required: needed,
        renderer: Dialog.defaultRenderer
      });
      return answer.button.accept ? answer.value ?? '' : null;
    },
    tell: text => void Notification.info(text, { autoClose: 6000 }),
    beginnings: () => {
      const ways = [
        { command: 'nbops:new-project', label: 'New project…' },
        { command: 'terminal:create-new', label: 'Open a terminal' }
      ];
      return ways
        .filter(way => app.commands.hasCommand(way.command))
        .map(way => ({ label: way.label, begin: () => app.commands.execute(way.command) }));
    },
    page: async path => void (await app.commands.execute('nbops:open-report', { served: path })),
    compare: async project => void (await app.commands.execute('nbops:open-diff', { project })),
    notebook: async (path, cell) => {
      if (path.endsWith('.py')) {
        await learn(app); // it may have been made since Lab was opened
      }
      const widget: unknown = await open(path);
      if (!(widget instanceof NotebookPanel) || cell === undefined) {
        return;
      }
      await widget.context.ready;
      await widget.revealed;
      const tags = widget.content.widgets.map(one => (one.model.getMetadata('tags') as string[] | undefined) ?? []);
      const place = placeOfCell(cell, tags);
      if (place >= 0) {
        widget.content.activeCellIndex = place;
        await widget.content.scrollToItem(place, 'center');
      }
    }
  };
}

const pipeline: JupyterFrontEndPlugin<void> = {
  id: 'nbops:pipeline',
  description: 'The pipeline in the sidebar: what is stale and why, verdicts, builds.',
  autoStart: true,
  optional: [ILayoutRestorer, ICommandPalette],
  activate: (app: JupyterFrontEnd, restorer: ILayoutRestorer | null, palette: ICommandPalette | null) => {
    const panel = new Panel(new Api(app.serviceManager.serverSettings), openerOf(app));
    panel.id = 'nbops-pipeline';
    panel.title.icon = ICON;
    panel.title.caption = 'Pipeline (nbops)';
    app.shell.add(panel, 'left', { rank: 350 });
    restorer?.add(panel, 'nbops-pipeline');
    app.commands.addCommand('nbops:show', {
      label: 'Show the Pipeline',
      caption: 'What is stale, verdicts, builds',
      icon: ICON,
      describedBy: { args: { type: 'object', properties: { project: { type: 'string' } } } },
      execute: async args => {
        app.shell.activateById(panel.id);
        if (typeof args.project === 'string') {
          await panel.switchTo(args.project, null);
        }
      }
    });
    palette?.addItem({ command: 'nbops:show', category: 'nbops' });
  }
};

export default [notebooks, pipeline, reports(openerOf, ICON), diffs(openerOf, ICON), launcher(ICON), notebook, kernels];
