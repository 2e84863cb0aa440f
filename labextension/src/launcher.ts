import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, showErrorMessage } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { LabIcon } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import { Api } from './api';
import { h } from './dom';
import { learn } from './filetypes';

interface IField {
  name: string;
  label: string;
  hint?: string;
  /** Values to choose from, and how each is called where that differs; text is asked for without them. */
  values?: (string | [value: string, label: string])[];
  several?: boolean;
}

/** What a dialog asks for: fields, and what was wrong with the last answer. */
class Form extends Widget {
  constructor(fields: IField[], given: Record<string, string | string[]>, problem: string) {
    super({ node: h('div', { class: 'nbops-form' }) });
    for (const field of fields) {
      const said = given[field.name];
      const chosen = Array.isArray(said) ? said : said === undefined ? [] : [said];
      const hint = field.hint ? h('small', { id: `nbops-new-${field.name}` }, field.hint) : null;
      const described = { 'aria-describedby': hint ? `nbops-new-${field.name}` : undefined };
      const input = field.values
        ? h(
            'select',
            { name: field.name, multiple: !!field.several, size: field.several ? String(Math.min(6, Math.max(2, field.values.length))) : undefined, ...described },
            ...field.values.map(one => {
              const [value, label] = typeof one === 'string' ? [one, one] : one;
              return h('option', { value, selected: chosen.includes(value) }, label);
            })
          )
        : h('input', { name: field.name, type: 'text', spellcheck: 'false', autocomplete: 'off', value: chosen[0] ?? '', ...described });
      this.inputs.set(field.name, input as HTMLInputElement | HTMLSelectElement);
      this.node.append(h('label', {}, h('span', {}, field.label), input), ...(hint ? [hint] : []));
    }
    if (problem) {
      const alert = h('p', { class: 'nbops-problem', role: 'alert' }, problem);
      this.node.append(alert);
      this.node.addEventListener('input', () => alert.remove(), { once: true }); // it was about what stood there before
    }
  }

  getValue(): Record<string, string | string[]> {
    const found: Record<string, string | string[]> = {};
    for (const [name, input] of this.inputs) {
      found[name] =
        input instanceof HTMLSelectElement && input.multiple ? [...input.selectedOptions].map(one => one.value) : input.value.trim();
    }
    return found;
  }

  private readonly inputs = new Map<string, HTMLInputElement | HTMLSelectElement>();
}

/** What was opened: a launcher gives it its place, when it is told. */
type Made = Widget | undefined;

/** Ask until it was made, or until somebody gives up; what was typed stays when it could not be. */
async function ask(title: string, fields: IField[], make: (given: Record<string, string | string[]>) => Promise<Made>): Promise<Made> {
  let given: Record<string, string | string[]> = {};
  for (let problem = ''; ; ) {
    const answer = await new Dialog({
      title,
      body: new Form(fields, given, problem),
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Make' })],
      focusNodeSelector: 'input, select'
    }).launch();
    if (!answer.button.accept || !answer.value) {
      return undefined;
    }
    given = answer.value as Record<string, string | string[]>;
    try {
      return await make(given);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
  }
}

export function launcher(icon: LabIcon): JupyterFrontEndPlugin<void> {
  return {
    id: 'nbops:launcher',
    description: 'New: a task, a contract, a project.',
    autoStart: true,
    optional: [ILauncher, ICommandPalette, IDefaultFileBrowser],
    activate: (
      app: JupyterFrontEnd,
      launch: ILauncher | null,
      palette: ICommandPalette | null,
      browser: IDefaultFileBrowser | null
    ) => {
      const api = new Api(app.serviceManager.serverSettings);
      const open = async (path: string | null): Promise<Made> => {
        await browser?.model.refresh();
        if (!path) {
          return undefined;
        }
        await learn(app);
        return app.commands.execute('docmanager:open', { path, factory: path.endsWith('.md') ? 'Markdown Preview' : undefined });
      };
      /** Of projects, the one around the folder that is browsed. */
      const around = (projects: string[]): string | undefined => {
        const folder = browser?.model.path ?? '';
        return projects.find(name => name && name !== '..' && (folder === name || folder.startsWith(`${name}/`)));
      };
      /** The project around the folder that is browsed, else the first. */
      const here = async (): Promise<string> => {
        const projects = await api.projects();
        if (!projects.length) {
          throw new Error('There is no project here. Make one first: New, Project.');
        }
        return around(projects) ?? projects[0];
      };
      const add = (command: string, label: string, caption: string, run: (asked: { project?: string }) => Promise<Made>) => {
        app.commands.addCommand(command, {
          label,
          caption,
          icon,
          describedBy: { args: { type: 'object', properties: { project: { type: 'string' } } } },
          execute: async args => {
            try {
              return await run({ project: typeof args.project === 'string' ? args.project : undefined });
            } catch (error) {
              void showErrorMessage(`${label} was not made`, error instanceof Error ? error.message : String(error));
              return undefined;
            }
          }
        });
        launch?.add({ command, category: 'nbops', rank: 1 });
        palette?.addItem({ command, category: 'nbops' });
      };
      add('nbops:new-task', 'Task notebook', 'A notebook, and its entry in pipeline.yaml', async asked => {
        const project = asked.project ?? (await here());
        const { tasks } = await api.choices(project);
        const fields: IField[] = [
          { name: 'name', label: 'Name', hint: 'Letters, digits, _ and -; also what its dataset is called.' },
          { name: 'upstream', label: 'Reads from', values: tasks, several: true, hint: 'Tasks, any number (Ctrl or Shift to choose several).' },
          { name: 'product', label: 'Product', hint: 'Such as output/clean.parquet; empty: beside those of the other tasks.' }
        ];
        return ask('New task notebook', fields, async given => open(await api.make({ kind: 'task', project, ...given })));
      });
      add('nbops:new-contract', 'Contract', 'What a dataset is to be, suggested from the latest run', async asked => {
        const project = asked.project ?? (await here());
        const { datasets } = await api.choices(project);
        if (!datasets.length) {
          throw new Error('The latest run has no dataset without a contract. Build the pipeline first.');
        }
        const fields: IField[] = [{ name: 'dataset', label: 'Dataset', values: datasets, hint: 'Those without a contract.' }];
        return ask('New contract', fields, async given => open(await api.make({ kind: 'contract', project, ...given })));
      });
      add('nbops:new-project', 'Project', 'A pipeline that builds at once, with contracts, in a folder of its own', async () => {
        const folder = around(await api.projects()) ? '' : browser?.model.path ?? ''; // beside a project, not in it
        const fields: IField[] = [
          { name: 'name', label: 'Name', hint: `A folder of this name is made in ${folder || 'the folder that JupyterLab shows'}.` },
          {
            name: 'example',
            label: 'Begin with',
            values: [
              ['small', 'Two notebooks: a small shop, whose runs pass'],
              ['shop', 'The reference pipeline: 11 notebooks, dirty data, runs warn']
            ],
            hint: 'Either builds at once, and has a contract for each dataset.'
          }
        ];
        return ask('New project', fields, async given => {
          const readme = await api.make({ kind: 'project', folder, ...given });
          const opened = await open(readme);
          const root = readme?.slice(0, Math.max(0, readme.lastIndexOf('/')));
          if (root) {
            await browser?.model.cd(`/${root}`); // what is made next is made in it
          }
          await app.commands.execute('nbops:show', root && !root.includes('/') ? { project: root } : {});
          return opened;
        });
      });
    }
  };
}
