import { s } from './dom';
import { ITask, layersOf, stateOf } from './model';

const WIDTH = 120;
const HEIGHT = 26;
const GAP_X = 12;
const GAP_Y = 26;

/** Draw the tasks in layers; the list beside it says the same in words. */
export function drawing(tasks: ITask[], building: boolean, choose: (name: string) => void): SVGElement {
  const layers = layersOf(tasks);
  const widest = Math.max(1, ...layers.map(layer => layer.length));
  const width = widest * (WIDTH + GAP_X) - GAP_X;
  const places = new Map<string, { x: number; y: number }>();
  layers.forEach((layer, row) => {
    const left = (width - (layer.length * (WIDTH + GAP_X) - GAP_X)) / 2;
    layer.forEach((name, column) => places.set(name, { x: left + column * (WIDTH + GAP_X), y: row * (HEIGHT + GAP_Y) }));
  });
  const height = layers.length * (HEIGHT + GAP_Y) - GAP_Y;
  const lines: SVGElement[] = [];
  for (const task of tasks) {
    const to = places.get(task.name)!;
    for (const name of task.upstream) {
      const from = places.get(name);
      if (from) {
        const x1 = from.x + WIDTH / 2;
        const x2 = to.x + WIDTH / 2;
        const y1 = from.y + HEIGHT;
        const middle = (y1 + to.y) / 2;
        lines.push(s('path', { class: 'nbops-edge', d: `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${to.y}` }));
      }
    }
  }
  const boxes = tasks.map(task => {
    const { x, y } = places.get(task.name)!;
    const label = s('text', { x: x + WIDTH / 2, y: y + HEIGHT / 2 + 4, 'text-anchor': 'middle' });
    label.textContent = task.name.length > 17 ? `${task.name.slice(0, 16)}…` : task.name;
    const title = s('title', {});
    title.textContent = `${task.name}: ${stateOf(task, building)}`;
    const box = s('g', { class: `nbops-box nbops-${stateOf(task, building)}` }, title);
    box.append(s('rect', { x, y, width: WIDTH, height: HEIGHT, rx: 4 }), label);
    box.addEventListener('click', () => choose(task.name));
    return box;
  });
  // the list is what the keyboard and a screen reader use
  return s('svg', { class: 'nbops-graph', viewBox: `-2 -2 ${width + 4} ${height + 4}`, 'aria-hidden': 'true' }, ...lines, ...boxes);
}
