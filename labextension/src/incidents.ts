import { button, h } from './dom';
import { age, IIncident } from './model';

export interface IIncidentActions {
  page(path: string): unknown;
  say(incident: IIncident, action: 'acknowledge' | 'expect'): unknown;
}

/** An open incident: what is wrong since when, and what can be said about it. */
export function incidentItem(one: IIncident, now: number, actions: IIncidentActions): HTMLElement {
  const { page } = one;
  const since = age(one.opened_at, now);
  const parts = [one.state, since && (since === 'just now' ? since : `for ${since}`), one.subject.replace(/^dataset:/, ''), one.owner ? `owner ${one.owner}` : ''];
  return h(
    'li',
    { class: 'nbops-incident', 'data-incident': one.id },
    h(
      'p',
      {},
      h('span', { class: `nbops-state nbops-mark-${one.severity === 'error' ? 'failed' : 'warned'}` }, one.severity),
      h('span', { class: 'nbops-name' }, one.title)
    ),
    h('p', { class: 'nbops-why' }, parts.filter(Boolean).join(' · ')),
    h(
      'div',
      { class: 'nbops-actions' },
      !!page && button('Open', `incident:${one.id}`, () => actions.page(page), { label: `Open incident ${one.id}` }),
      button('Acknowledge', `ack:${one.id}`, () => actions.say(one, 'acknowledge'), {
        disabled: one.state === 'acknowledged',
        title: 'Say that you look into it',
        label: `Acknowledge incident ${one.id}`
      }),
      button('As expected…', `expect:${one.id}`, () => actions.say(one, 'expect'), {
        title: 'Say that this is how it should be, and why',
        label: `Mark incident ${one.id} as expected`
      })
    )
  );
}
