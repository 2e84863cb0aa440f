import { JupyterFrontEnd } from '@jupyterlab/application';
import { IDisposable } from '@lumino/disposable';
import { Api } from './api';

let known: IDisposable | null = null;
let pattern = '';

/**
 * Let the percent .py files that are notebooks of the pipelines open as notebooks. Asked again when one was made: projects and tasks
 * come into being while Lab is open. A failure leaves them text, and is said in the console.
 */
export async function learn(app: JupyterFrontEnd): Promise<void> {
  try {
    const paths = await new Api(app.serviceManager.serverSettings).notebooks();
    const names = [...new Set(paths.map(path => path.split('/').pop()!))].sort();
    const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const wanted = names.length ? `^(?:${names.map(escape).join('|')})$` : '';
    if (wanted === pattern) {
      return;
    }
    known?.dispose();
    pattern = wanted;
    if (!wanted) {
      return;
    }
    // a file type of its own, so that `defaultViewers` in the settings can still say otherwise
    known = app.docRegistry.addFileType(
      {
        name: 'nbops-notebook',
        displayName: 'Pipeline notebook',
        contentType: 'notebook',
        fileFormat: 'json',
        pattern: wanted,
        icon: app.docRegistry.getFileType('notebook')?.icon
      },
      ['Jupytext Notebook', 'Editor']
    );
  } catch (error) {
    console.warn(`nbops: the pipeline's .py files open as text: ${error}`);
  }
}
