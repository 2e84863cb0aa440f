// A Module Federation container written by hand: it shares nothing and so needs no bundler. JupyterLab loads this file, takes the
// container from window._JUPYTERLAB and asks it for "./extension".
"use strict";
(() => {
  const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

  const plugin = {
    id: "nbops:notebooks",
    description: "Opens the percent .py files that are a pipeline's notebooks as notebooks; other modules stay text.",
    autoStart: true,
    activate: async (app) => {
      const settings = app.serviceManager.serverSettings;
      try {
        const headers = settings.token ? { Authorization: `token ${settings.token}` } : {};
        const answer = await fetch(`${settings.baseUrl}nbops/api/notebooks`, { headers, cache: "no-store" });
        if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
        const { notebooks } = await answer.json();
        const names = [...new Set(notebooks.map((path) => path.split("/").pop()))];
        if (!names.length) return;
        // a file type of its own, so that `defaultViewers` in the settings can still say otherwise
        app.docRegistry.addFileType(
          {
            name: "nbops-notebook",
            displayName: "Pipeline notebook",
            contentType: "notebook",
            fileFormat: "json",
            pattern: `^(?:${names.map(escape).join("|")})$`,
            icon: app.docRegistry.getFileType("notebook")?.icon,
          },
          ["Jupytext Notebook", "Editor"],
        );
      } catch (error) {
        console.warn(`nbops: the pipeline's .py files open as text: ${error}`);
      }
    },
  };

  const container = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
  (window._JUPYTERLAB = window._JUPYTERLAB || {}).nbops = container;
})();
