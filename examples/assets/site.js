// Makes the contact form better where scripts run: it is sent without leaving the page, errors come beside their fields.
// Without this file the form is posted as it is, and the server shows the same errors.
'use strict';

(() => {
  const form = document.getElementById('contact');
  if (!form) return;
  const button = document.getElementById('send');
  const status = document.getElementById('status');
  const summary = document.getElementById('summary');
  const message = document.getElementById('message');
  const count = document.getElementById('message-count');
  const title = document.title.replace(/^Erreur : /u, '');
  const fields = ['name', 'email', 'phone', 'company', 'service', 'message', 'consent'];
  const TRIES = 3;
  const PATIENCE = 20000;
  let isSending = false;

  const busy = (is) => {
    isSending = is;
    button.setAttribute('aria-disabled', String(is));
    button.textContent = is ? 'Envoi en cours…' : 'Envoyer';
    status.textContent = is ? 'Envoi de votre message…' : '';
  };

  const showErrorsOf = (id, errors) => {
    const place = document.getElementById(`${id}-error`);
    place.textContent = errors.map(({ detail }) => detail).join(' ');
    place.hidden = errors.length === 0;
    const field = document.getElementById(id);
    if (errors.length > 0) field.setAttribute('aria-invalid', 'true');
    else field.removeAttribute('aria-invalid');
  };

  const show = (text, errors = []) => {
    const idOf = ({ pointer }) => pointer.slice(1);
    for (const id of fields) showErrorsOf(id, errors.filter((error) => idOf(error) === id));
    const known = errors.filter((error) => fields.includes(idOf(error)));
    const list = document.getElementById('summary-list');
    list.replaceChildren(
      ...known.map((error) => {
        const link = document.createElement('a');
        link.href = `#${idOf(error)}`;
        link.textContent = error.detail;
        const item = document.createElement('li');
        item.append(link);
        return item;
      }),
    );
    document.getElementById('summary-title').textContent = text;
    summary.hidden = text === '';
    document.title = text === '' ? title : `Erreur : ${title}`;
    if (known.length > 0) document.getElementById(idOf(known[0])).focus();
    else if (text !== '') summary.focus();
  };

  // An empty field is a member that is not there.
  const read = () => {
    const body = { consent: form.elements.consent.checked };
    for (const [name, value] of new FormData(form)) {
      if (name !== 'consent' && value !== '') body[name] = value.replaceAll('\r\n', '\n');
    }
    return JSON.stringify(body);
  };

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // What a proxy in front says, be it JSON, is no answer of the site.
  const isOurs = (answer) =>
    typeof answer?.ok === 'boolean' && typeof (answer.ok ? answer.next : answer.detail) === 'string';

  // The ticket in the form makes it safe to send again: however often it arrives, it is one message.
  const post = async (body) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await fetch(form.action, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
          body,
          signal: AbortSignal.timeout(PATIENCE),
        });
        const answer = await response.json();
        if (isOurs(answer)) return answer;
        throw new Error(String(response.status));
      } catch (error) {
        if (attempt === TRIES) throw error;
      }
      await pause(1000 * attempt);
    }
  };

  const send = async () => {
    busy(true);
    try {
      const answer = await post(read());
      if (answer.ok) {
        show('');
        window.location.assign(answer.next);
        return;
      }
      busy(false);
      show(answer.detail, answer.errors);
    } catch {
      busy(false);
      show('L’envoi n’a pas abouti. Votre message est toujours là : envoyez-le de nouveau dans un instant.');
    }
  };

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!isSending) send();
  });

  // A page that comes back from the browser's memory is not sending any more.
  window.addEventListener('pageshow', () => busy(false));

  const max = Number(message.dataset.max);
  const showCount = () => {
    const left = max - [...message.value.trim()].length;
    const characters = Math.abs(left) > 1 ? 'caractères' : 'caractère';
    if (left >= 200) count.textContent = '';
    else if (left >= 0) count.textContent = `${left} ${characters} ${left > 1 ? 'restants' : 'restant'}`;
    else count.textContent = `${-left} ${characters} de trop`;
  };
  message.addEventListener('input', showCount);
  showCount();
})();
