import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { NotebookPanel } from '@jupyterlab/notebook';
import { Kernel } from '@jupyterlab/services';
import { commandToInstall, plainText } from './model';

const HAS = "__import__('importlib.util', fromlist=['util']).find_spec('nbops') is not None";
const WHERE = "__import__('sys').executable";

/** Ask a Python kernel for its interpreter when it lacks nbops; null when it has it, or cannot be asked. */
async function without(kernel: Kernel.IKernelConnection): Promise<string | null> {
  if ((await kernel.info).language_info.name !== 'python') {
    return null;
  }
  // nothing is run, counted or shown: the expressions are read beside an empty cell
  const asked = { code: '', silent: true, store_history: false, allow_stdin: false, user_expressions: { has: HAS, where: WHERE } };
  const content = (await kernel.requestExecute(asked).done).content;
  const told = content.status === 'ok' ? (content.user_expressions as Record<string, { data?: Record<string, unknown> }>) : {};
  return told.has?.data?.['text/plain'] === 'False' ? plainText(told.where?.data?.['text/plain']) : null;
}

/** Says when a pipeline's notebook has a kernel in an environment without nbops, with the command that mends it. */
export const kernels: JupyterFrontEndPlugin<void> = {
  id: 'nbops:kernels',
  description: "Says when a pipeline's notebook runs in an environment without nbops.",
  autoStart: true,
  activate: (app: JupyterFrontEnd) => {
    const told = new Set<string>();
    const look = async (panel: NotebookPanel): Promise<void> => {
      await panel.context.ready;
      const kernel = panel.sessionContext.session?.kernel;
      const cells = [...(panel.content.model?.cells ?? [])];
      const ours = cells.some(cell => ((cell.getMetadata('tags') as string[] | undefined) ?? []).includes('injected-parameters'));
      if (!kernel || !ours) {
        return;
      }
      const python = await without(kernel);
      if (!python || told.has(python)) {
        return;
      }
      told.add(python);
      const command = commandToInstall(python);
      const name = panel.sessionContext.kernelDisplayName;
      // Lab cuts a notification after 140 characters: the command has a dialog of its own
      Notification.warning(`The kernel "${name.slice(0, 40)}" has no nbops: checks, magics and widgets are missing there.`, {
        autoClose: false,
        actions: [
          { label: 'Copy the command', callback: () => Clipboard.copyToSystem(command) },
          {
            label: 'How to mend it',
            callback: () =>
              void showDialog({ title: 'Run this in a terminal', body: command, buttons: [Dialog.okButton({ label: 'Close' })] })
          }
        ]
      });
    };
    const extension = {
      createNew: (panel: NotebookPanel) => {
        const again = () => void look(panel).catch(error => console.warn(`nbops: the kernel could not be asked: ${error}`));
        panel.sessionContext.kernelChanged.connect(again);
        void panel.sessionContext.ready.then(again);
      }
    };
    for (const factory of ['Notebook', 'Jupytext Notebook']) {
      app.docRegistry.addWidgetExtension(factory, extension);
    }
  }
};
